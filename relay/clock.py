"""The time, as something that is passed in."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where the bot reads the time from; tests inject one that they move by hand."""

    def now(self) -> int:
        """Milliseconds since 1970, as the platform counts."""

    def steady(self) -> int:
        """Milliseconds that only ever pass, whatever the clock is set to; the machine's sleep counts."""

    async def sleep(self, seconds: float) -> None:
        """Return when that much of this clock's time has passed."""


CLOCKS_DIFFER = 5_000
"""Milliseconds by which the platform's clock may be before or behind ours."""

SET = 2_000
"""Milliseconds by which a clock is ahead or behind all at once when somebody has set it."""


class Drift:
    """Notices that the clock was set, by one that nobody can set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.steady()

    def look(self) -> int:
        """By how many milliseconds the clock was set since the last look; 0 where it was not."""
        ahead = self._clock.now() - self._clock.steady()
        by, self._ahead = ahead - self._ahead, ahead
        return by if abs(by) >= SET else 0


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def steady(self) -> int:
        return time.clock_gettime_ns(_STEADY) // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
