"""Work in hand: what was started and not finished, and whether any of it went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Tasks:
    """A bag of running tasks that lets no failure pass unseen: it is raised by the next `check` or `wait`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` beside everything else."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._failed = self._failed or exc

    def check(self) -> None:
        """Raise what went wrong in any task."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    async def wait(self) -> None:
        """Return when nothing is in hand."""
        while self._running:
            await asyncio.wait(self._running)
        self.check()

    async def cancel(self) -> None:
        """End everything in hand, whatever it was about to say."""
        for task in self._running:
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)
