"""A clock that is moved by hand, for tests: no real time passes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

START = 1_700_000_000_000
_ROUNDS = 30  # turns of the event loop in which everything that was woken gets to wait again


class ManualClock:
    """Stands still until `advance`; sleepers wake in the order of their time."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        self._steady = 0
        self._set = 0
        self._order = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> int:
        """Milliseconds since 1970, as set."""
        return self._now

    def steady(self) -> int:
        """Milliseconds that have passed, whatever the clock was set to."""
        return self._steady

    def set_by(self, seconds: float) -> None:
        """Put the clock forward, or back, while no time passes."""
        self._now += round(seconds * 1000)
        self._set += round(seconds * 1000)
        self._wake()

    def heed(self) -> int:
        """By how many milliseconds it was set since the last look."""
        by, self._set = self._set, 0
        return by

    @property
    def era(self) -> str:
        """That of a test."""
        return "by hand"

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been moved that far."""
        self._order += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + round(seconds * 1000), self._order, woken))
        await woken

    def jump(self, seconds: float) -> None:
        """Be that much later at once: all who are due wake together, and see the new time."""
        self._pass(round(seconds * 1000))
        self._wake()

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, with a stop wherever somebody wakes."""
        end = self._now + round(seconds * 1000)
        await _turn()
        while (due := self._next_due()) is not None and due <= end:
            self._pass(max(due - self._now, 0))
            self._wake()
            await _turn()
        self._pass(end - self._now)

    async def drive(self, awaitable: Awaitable[T]) -> T:
        """Await something, and let time pass whenever it waits for nothing but time."""
        task = asyncio.ensure_future(awaitable)
        await _turn()
        while not task.done() and (due := self._next_due()) is not None:
            self._pass(max(due - self._now, 0))
            self._wake()
            await _turn()
        return await task

    def _pass(self, milliseconds: int) -> None:
        self._now += milliseconds
        self._steady += milliseconds

    def _next_due(self) -> int | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self) -> None:
        while (due := self._next_due()) is not None and due <= self._now:
            heapq.heappop(self._sleepers)[2].set_result(None)


async def _turn() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
