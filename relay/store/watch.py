"""Wait until somebody, in this process or another, has committed something."""

from __future__ import annotations

import asyncio
from typing import Protocol

from relay.clock import Clock

INTERVAL = 0.01  # seconds between looks; a look costs a few microseconds


class Versioned(Protocol):
    """What can be watched."""

    def version(self) -> int:
        """A number that differs after every commit."""


class Watch:
    """Remembers the last version that it saw, so that no commit slips by between two waits."""

    def __init__(self, store: Versioned, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen = -1
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """End the wait under way, or the next one, at once."""
        self._nudged.set()

    async def wait(self, longest: float) -> None:
        """Return after a commit, a nudge, or `longest` seconds."""
        left = longest
        while left > 0 and not self._nudged.is_set():
            version = self._store.version()
            if version != self._seen:
                self._seen = version
                return
            await self._clock.sleep(INTERVAL)
            left -= INTERVAL
        self._nudged.clear()
