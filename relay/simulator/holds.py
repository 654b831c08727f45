"""Calls that are made to wait, and letting go of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from relay.clock import Clock


class Holds:
    """Knows who waits, and by which fault; closing lets everybody go for good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[asyncio.Event, int] = {}
        self.closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def numbers(self) -> set[int]:
        """Give the faults that somebody waits by."""
        return set(self._waiting.values())

    async def wait(
        self, number: int, seconds: float, *, until: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """Wait for that long (0: without end), or until released, or until `until` is over."""
        released = asyncio.Event()
        ends: list[asyncio.Future[object]] = [asyncio.ensure_future(released.wait())]
        if seconds:
            ends.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        if until is not None:
            ends.append(asyncio.ensure_future(until()))
        self._waiting[released] = number
        try:
            if not self.closed:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiting[released]
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    def release(self, number: int | None = None) -> None:
        """Let go of what waits by this fault, or of all."""
        for released, by in self._waiting.items():
            if number in (None, by):
                released.set()

    def close(self) -> None:
        """Let everybody go, and hold nobody from now on."""
        self.closed = True
        self.release()
