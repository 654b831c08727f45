"""What is to happen later: delayed sends and the second message of a forward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from relay.clock import Clock


class Agenda:
    """Runs actions at their time on the clock, those of the past at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[asyncio.Task[None], int] = {}

    def at(self, due: int, action: Callable[[], object]) -> None:
        """Run `action` once the clock shows `due` (milliseconds)."""
        if due <= self._clock.now():
            action()
            return
        task = asyncio.get_running_loop().create_task(self._wait(due, action))
        self._tasks[task] = due
        task.add_done_callback(self._tasks.pop)

    def due(self) -> list[asyncio.Task[None]]:
        """Give the tasks whose time has come but which have not run yet."""
        return [task for task, due in self._tasks.items() if due <= self._clock.now()]

    async def close(self) -> None:
        """Drop what has not happened."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, due: int, action: Callable[[], object]) -> None:
        while (left := due - self._clock.now()) > 0:
            await self._clock.sleep(left / 1000)
        action()
