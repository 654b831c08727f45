"""Whether an unknown outcome waits long enough for its echo, by how long echoes take."""

from __future__ import annotations

import structlog

from relay.clock import Clock
from relay.store.protocol import Store

log = structlog.get_logger("relay.patience")

LOOK = 600_000  # ms between two looks
ENOUGH = 3  # times the time within which 99 of 100 echoes came
MEASURED = "echo_p99"  # in meta: that time in milliseconds


class Patience:
    """Measures echoes now and then, and warns where the log would be asked before most of them can come."""

    def __init__(self, store: Store, clock: Clock, resolve_within: int) -> None:
        self._store = store
        self._clock = clock
        self._resolve_within = resolve_within
        self._look_at = 0
        self._warned = False

    async def look(self) -> None:
        """Measure, when it is time."""
        now = self._clock.steady()
        if now < self._look_at:
            return
        self._look_at = now + LOOK
        p99 = await self._store.echo_p99()
        if p99 is None:
            return
        await self._store.set_meta(MEASURED, str(p99))
        short = is_short(self._resolve_within, p99)
        if short and not self._warned:
            log.warning("resolve_within_short", echo_p99_ms=p99, resolve_within_ms=self._resolve_within)
        self._warned = short


def is_short(resolve_within: int, p99: int | None) -> bool:
    """Whether so long a wait leaves too many echoes out; both in milliseconds."""
    return p99 is not None and resolve_within < ENOUGH * p99


async def measured(store: Store) -> int | None:
    """The time within which 99 of 100 echoes came, as last measured."""
    found = await store.meta(MEASURED)
    return None if found is None else int(found)
