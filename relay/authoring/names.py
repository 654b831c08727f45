"""What people and chats are called, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relay.clock import Clock
from relay.store.protocol import Store

FRESH = 60_000  # ms after which a name is read again: the directory may have learnt a newer one
MISSING = 1_000  # ms after which one that was not known is looked for again
MOST_KEPT = 50_000  # names in memory


class Names:
    """Names from the store, kept for a minute; an id stands for itself where no name is known."""

    def __init__(self, store: Store, clock: Clock, given: Mapping[str, str]) -> None:
        """`given` are the names that bot.toml gives to chats; what the platform says goes first."""
        self._store = store
        self._clock = clock
        self._given = given
        self._known: dict[str, tuple[str, int]] = {}

    @property
    def store(self) -> Store:
        """Where they are looked up."""
        return self._store

    def of(self, wxid: str) -> str:
        """The name of a chat, contact or account."""
        known = self._known.get(wxid)
        return (known[0] if known else "") or self._given.get(wxid, wxid)

    async def learn(self, wxids: Iterable[str]) -> None:
        """Read what the store knows of these, unless that was done a moment ago."""
        now = self._clock.now()
        asked = [wxid for wxid in wxids if self._is_stale(wxid, now)]
        if not asked:
            return
        if len(self._known) > MOST_KEPT:
            self._known.clear()
        found = await self._store.names(asked)
        self._known.update({wxid: (found.get(wxid, ""), now) for wxid in asked})

    def _is_stale(self, wxid: str, now: int) -> bool:
        known = self._known.get(wxid)
        return known is None or now - known[1] >= (FRESH if known[0] else MISSING)
