"""What plugins remember: seen at once, and stored together with the decisions of the message behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from relay.clock import Clock
from relay.config.values import Duration
from relay.store.protocol import Store
from relay.store.values import StateChange

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value as JSON, None for a deleted one, and the time until which it counts (None: for good)."""

    value: str | None
    expires_at: int | None

    def at(self, now: int) -> str | None:
        return self.value if self.expires_at is None or now < self.expires_at else None


class StateBook:
    """The state of all plugins of one router: what is on disk, and over it what is about to be."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[Key, _Entry] = {}

    def open(self) -> StatePage:
        """A page for the changes that one call of a handler brings."""
        return StatePage(self)

    async def read(self, key: Key) -> str | None:
        """The value as anybody sees it now."""
        now = self._clock.now()
        if (entry := self._pending.get(key)) is not None:
            return entry.at(now)
        stored = await self._store.state(*key)
        # While the disk was asked, another message may have changed it.
        entry = self._pending.get(key) or (_Entry(*stored) if stored else None)
        return entry.at(now) if entry is not None else None

    def pending(self, key: Key, stored: str | None) -> str | None:
        """The value as of this moment: a change on its way to the disk, else `stored`."""
        entry = self._pending.get(key)
        return stored if entry is None else entry.at(self._clock.now())

    def write(self, key: Key, value: str | None, ttl: int | None) -> StateChange:
        """Show a value to everybody from now on; the change that is to be stored comes back."""
        expires_at = None if ttl is None else self._clock.now() + ttl
        self._pending[key] = _Entry(value, expires_at)
        return StateChange(*key, value, expires_at)

    def settle(self, changes: tuple[StateChange, ...]) -> None:
        """Forget what is on disk now, or what was never to be; a newer change of another message stays."""
        for change in changes:
            key = (change.plugin, change.key)
            if self._pending.get(key) == _Entry(change.value, change.expires_at):
                del self._pending[key]


class StatePage:
    """The changes that one call of a handler brings."""

    def __init__(self, book: StateBook) -> None:
        self.book = book
        self._changes: dict[Key, StateChange] = {}
        self._closed = False

    def close(self) -> tuple[StateChange, ...]:
        """What is to be stored with the message's decisions: the last word on each key.

        Whatever a handler that outlived its time writes from here on goes nowhere.
        """
        self._closed = True
        return tuple(self._changes.values())

    def tear_out(self) -> None:
        """The handler failed: nothing that it changed is to be."""
        self.book.settle(self.close())

    def of(self, plugin: str) -> State:
        """The page as one plugin sees it."""
        return State(self, plugin)

    def write(self, key: Key, value: str | None, ttl: int | None) -> None:
        """Take down a change."""
        if self._closed:
            raise RuntimeError("the handler has ended: its state can be changed no more")
        self._changes[key] = self.book.write(key, value, ttl)


class State:
    """A plugin's own memory: keys are texts, values whatever JSON can say. It survives restarts.

    Changes are stored in one transaction with what the handler decided: a crash neither loses nor doubles.
    """

    def __init__(self, page: StatePage, plugin: str) -> None:
        self._page = page
        self._plugin = plugin

    async def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, RUF100 - any JSON value
        """The value, or `default` where there is none or its time is over."""
        value = await self._page.book.read((self._plugin, key))
        return default if value is None else json.loads(value)

    async def set(self, key: str, value: Any, *, ttl: str | float | None = None) -> None:  # noqa: ANN401, RUF100
        """Remember a value for good, or for `ttl` (`"10m"` or seconds). TypeError for what is not JSON."""
        self._page.write((self._plugin, key), json.dumps(value, ensure_ascii=False), _milliseconds(ttl))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._page.write((self._plugin, key), None, None)

    async def increment(self, key: str, by: int = 1, *, ttl: str | float | None = None) -> int:
        """Add to a number that begins at 0, and return it."""
        stored = await self._page.book.read((self._plugin, key))
        # Nothing is awaited from here on, so no other message's number can come between.
        latest = self._page.book.pending((self._plugin, key), stored)
        value = (0 if latest is None else int(json.loads(latest))) + by
        self._page.write((self._plugin, key), json.dumps(value), _milliseconds(ttl))
        return value


def _milliseconds(ttl: str | float | None) -> int | None:
    if ttl is None:
        return None
    return int(Duration(ttl)) if isinstance(ttl, str) else round(ttl * 1000)
