"""One SQLite file, one thread that writes to it in groups, one that reads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from relay.errors import StorageError
from relay.store.migrate import migrate

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

BUSY_TIMEOUT = 10_000  # milliseconds; transactions are short, so this is an accident, not a queue
BATCH = 512  # jobs in one transaction at the most: bounds how long other processes wait


class _Job:
    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.future = future
        self.loop = loop
        self.result: object = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Database:
    """A connection pair to one file: `write` joins the next group commit, `read` sees what is committed."""

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = self._open()
        migrate(self._writer)
        self._reader = self._open(read_only=True)
        self._watcher = self._open(read_only=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay-read")
        self._thread = threading.Thread(target=self._run, name="relay-write", daemon=True)
        self._thread.start()
        self._closed = False

    def _open(self, *, read_only: bool = False) -> apsw.Connection:
        try:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = apsw.Connection(str(self.path), statementcachesize=200)
            connection.set_busy_timeout(BUSY_TIMEOUT)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", self._synchronous)
            connection.pragma("foreign_keys", True)
            connection.pragma("query_only", read_only)
        except (apsw.Error, OSError) as exc:
            raise StorageError(f"{self.path} cannot be opened as a database: {exc}") from exc
        return connection

    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the next transaction and return after its commit is on disk.

        An exception undoes this piece of work alone; `StorageError` when the commit itself fails.
        """
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, future, loop))
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run `work` on the reading connection."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._reader)

    def version(self) -> int:
        """A number that differs once anybody has committed; costs microseconds and waits for nobody."""
        return int(str(self._watcher.pragma("data_version")))

    def close(self) -> None:
        """Finish what was asked for, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._pool.shutdown()
        self._watcher.close()
        self._reader.close()
        self._writer.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, last = self._collect(job)
            self._commit(jobs)
            _settle(jobs)
            if last:
                return

    def _collect(self, first: _Job) -> tuple[list[_Job], bool]:
        """Everything that waits by now: while one commit syncs, the next batch gathers."""
        jobs = [first]
        while len(jobs) < BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._attempt(job)
            self._writer.execute("COMMIT")
        except apsw.Error as exc:
            self._give_up(jobs, exc)

    def _attempt(self, job: _Job) -> None:
        self._writer.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._writer)
        except Exception as exc:  # noqa: BLE001 - whose work it is gets to see it, by its future
            job.error = exc
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK TO job")
        self._writer.execute("RELEASE job")

    def _give_up(self, jobs: list[_Job], exc: apsw.Error) -> None:
        with contextlib.suppress(apsw.Error):  # it may have been rolled back by what went wrong
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        for job in jobs:
            job.error = StorageError(f"{self.path.name} could not be written: {exc}")


def _settle(jobs: list[_Job]) -> None:
    """Wake each event loop once for the whole batch."""
    loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, own in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_settle_all, own)


def _settle_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()
