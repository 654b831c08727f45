"""An event loop that a plain function can use, also within somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class OwnLoop:
    """Runs coroutines to their end, one after the other, in a loop that lives as long as this does."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns; where this thread has a running loop, that one stands still meanwhile."""
        __tracebackhide__ = True
        if not _inside_a_loop():
            return self._loop.run_until_complete(work)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._loop.run_until_complete, work).result()

    def close(self) -> None:
        """End what still runs in it."""
        if not self._loop.is_closed():
            self.run(self._end())
            self._loop.close()

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
