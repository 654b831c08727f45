"""The time, as something that is passed in."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the bot reads the time from; tests inject one that they move by hand."""

    def now(self) -> int:
        """Milliseconds since 1970, as the platform counts."""

    async def sleep(self, seconds: float) -> None:
        """Return when that much of this clock's time has passed."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
