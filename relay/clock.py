"""The time, as something that is passed in."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Protocol

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where the bot reads the time from; tests inject one that they move by hand."""

    def now(self) -> int:
        """Milliseconds since 1970, as the platform counts."""

    def steady(self) -> int:
        """Milliseconds that only ever pass, whatever the clock is set to; the machine's sleep counts."""

    def heed(self) -> int:
        """By how many milliseconds the clock was set since the last look; 0 where it was not."""

    @property
    def era(self) -> str:
        """Since when `steady` counts: what it tells can be compared within one."""

    async def sleep(self, seconds: float) -> None:
        """Return when that much of this clock's time has passed."""


CLOCKS_DIFFER = 5_000
"""Milliseconds by which the platform's clock may be before or behind ours."""

SET = 2_000
"""Milliseconds by which a clock is ahead or behind all at once when somebody has set it."""


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._ahead = self._wall() - self.steady()
        self._era = ""

    def now(self) -> int:
        return self._wall()

    def steady(self) -> int:
        return time.clock_gettime_ns(_STEADY) // 1_000_000

    def heed(self) -> int:
        ahead = self._wall() - self.steady()
        by = ahead - self._ahead
        if abs(by) < SET:
            return 0
        self._ahead = ahead
        return by

    @property
    def era(self) -> str:
        self._era = self._era or _era()
        return self._era

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _wall(self) -> int:
        return time.time_ns() // 1_000_000


class EvenClock(SystemClock):
    """Goes on as if nobody had set it, until that is heeded: nothing is judged by half of the news."""

    def now(self) -> int:
        return self.steady() + self._ahead


def _era() -> str:
    """The machine's start, where it tells; else this process knows no other one's time."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return uuid.uuid4().hex
