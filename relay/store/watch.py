"""Wait until somebody, in this process or another, has committed something."""

from __future__ import annotations

import asyncio
from typing import Protocol

from relay.clock import Clock

INTERVAL = 0.01  # seconds between looks; a look costs a few microseconds
BRISK = 0.002  # seconds between looks while there is something every now and then
BRISK_FOR = 0.1  # seconds after the last time
DUST = 1e-6  # seconds: what subtracting leaves of nothing


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
        self._brisk = 0.0  #: seconds that are left of looking often
        self._nudged = False
        self._sleeping: asyncio.Future[None] | None = None

    def nudge(self) -> None:
        """End the wait under way, or the next one, at once."""
        self._nudged = True
        if self._sleeping is not None:
            self._sleeping.cancel()

    async def wait(self, longest: float) -> None:
        """Return after a commit, a nudge, or `longest` seconds."""
        left = longest
        while left > DUST and not self._nudged:
            version = self._store.version()
            if version != self._seen:
                self._seen = version
                self._brisk = BRISK_FOR
                return
            interval = min(BRISK if self._brisk > 0 else INTERVAL, left)
            await self._sleep(interval)
            self._brisk -= interval
            left -= interval
        self._nudged = False

    async def _sleep(self, seconds: float) -> None:
        """Sleep so long, or until the nudge."""
        self._sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({self._sleeping})
        finally:
            self._sleeping.cancel()
            self._sleeping = None
