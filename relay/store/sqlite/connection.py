"""One SQLite file, one thread that writes to it in groups, one that reads."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from relay.errors import StorageError
from relay.store.migrate import migrate

T = TypeVar("T")
A = TypeVar("A")
Work = Callable[[apsw.Connection], T]
Bulk = Callable[[apsw.Connection, Sequence[A]], Sequence[T]]  # one result for each argument, in their order

BUSY_TIMEOUT = 10_000  # milliseconds; transactions are short, so this is an accident, not a queue
BUSY_LOOK = 1_000  # milliseconds after which a writer that waits for the lock looks whether it is to go on
PAUSE, HURRIED_PAUSE = 0.002, 0.0005  # seconds between two tries for the lock; SQLite's own grow to 100 ms
HURRIED_LOG = 16_000  # pages of log, 64 MB, that a hurried one leaves to others; these take 1,000
BATCH = 512  # jobs in one transaction at the most: bounds how long other processes wait
REFUSALS = (
    *(apsw.BusyError, apsw.CantOpenError, apsw.CorruptError, apsw.FullError, apsw.IOError, apsw.LockedError),
    *(apsw.NoMemError, apsw.NotADBError, apsw.PermissionsError, apsw.ProtocolError, apsw.ReadOnlyError),
)
"""What is the disk's fault, or its owner's; any other error of SQLite is the work's own."""


class _Job:
    """A `bulk` and the argument that it is to be called with, among others'."""

    __slots__ = ("argument", "bulk", "error", "future", "loop", "result")

    def __init__(
        self,
        bulk: Bulk[Any, Any],
        argument: object,
        future: asyncio.Future[Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.bulk = bulk
        self.argument = argument
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
    """A connection pair to one file: `write` joins the next group commit, `read` sees what is committed.

    A `patient` one waits for a database that others have locked until it is closed, any other 10 s. A
    `hurried` one asks for the lock more often than the others, and leaves it to them to bring the log into
    the database.
    """

    def __init__(
        self, path: Path, *, synchronous: str = "FULL", patient: bool = False, hurried: bool = False
    ) -> None:
        self.path = path
        self._hurried = hurried
        self._patient = patient
        self._closed = False
        self._synchronous = synchronous
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = self._open()
        self._migrate()
        self._reader = self._open(read_only=True)
        self._watcher = self._open(read_only=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay-read")
        self._thread = threading.Thread(target=self._run, name="relay-write", daemon=True)
        self._thread.start()

    def _migrate(self) -> None:
        try:
            migrate(self._writer)
            pause = HURRIED_PAUSE if self._hurried else PAUSE
            most = BUSY_LOOK / 1000 / pause
            self._writer.set_busy_handler(lambda times: _sleep(pause) and times < most)
            if self._hurried:
                self._writer.wal_autocheckpoint(HURRIED_LOG)
        except apsw.Error as exc:
            self._writer.close()
            raise StorageError(f"{self.path} cannot be brought up to date: {exc}") from exc

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

        An exception undoes this piece of work alone; `StorageError` when the commit itself fails. Where a
        neighbour in the transaction fails, it is run a second time.
        """
        return await self.share(_one_by_one, work)

    def share(self, bulk: Bulk[A, T], argument: A) -> asyncio.Future[T]:
        """The same for work that is cheaper in common: `bulk` is called once for all arguments that wait."""
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(bulk, argument, future, loop))
        return future

    async def read(self, work: Work[T]) -> T:
        """Run `work` on the reading connection; `StorageError` where the file cannot be read."""
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._reader)
        except apsw.Error as exc:
            raise StorageError(f"{self.path.name} could not be read: {exc}") from exc

    def version(self) -> int:
        """A number that differs once anybody has committed; costs microseconds and waits for nobody."""
        try:
            return int(str(self._watcher.pragma("data_version")))
        except apsw.Error as exc:
            raise StorageError(f"{self.path.name} could not be read: {exc}") from exc

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
            self._begin()
            if not self._attempt_all(jobs):
                self._begin()
                for job in jobs:
                    self._attempt(job)
            self._writer.execute("COMMIT")
        except apsw.Error as exc:
            self._give_up(jobs, exc)

    def _begin(self) -> None:
        """Whoever holds the lock for long delays what waits here, and costs nobody anything."""
        give_up_at = time.monotonic() + BUSY_TIMEOUT / 1000
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                if self._closed or (not self._patient and time.monotonic() > give_up_at):
                    raise
            else:
                return

    def _attempt_all(self, jobs: list[_Job]) -> bool:
        """Take for granted that none fails; where one does, undo all of it and return false."""
        try:
            for bulk, group in itertools.groupby(jobs, key=_bulk):
                alike = list(group)
                results = bulk(self._writer, [job.argument for job in alike])
                for job, result in zip(alike, results, strict=True):
                    job.result = result
        except Exception:  # noqa: BLE001 - found again, and told, by whoever tries them one by one
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return False
        return True

    def _attempt(self, job: _Job) -> None:
        self._writer.execute("SAVEPOINT job")
        try:
            job.result = job.bulk(self._writer, [job.argument])[0]
        except Exception as exc:  # whose work it is gets to see it, by its future
            if not self._writer.in_transaction and isinstance(exc, apsw.Error):
                raise  # SQLite has undone the whole batch with it
            job.error = self._refused(exc) if isinstance(exc, REFUSALS) else exc
            self._writer.execute("ROLLBACK TO job")
        self._writer.execute("RELEASE job")

    def _refused(self, exc: BaseException) -> StorageError:
        return StorageError(f"{self.path.name} could not be written: {exc}")

    def _give_up(self, jobs: list[_Job], exc: apsw.Error) -> None:
        with contextlib.suppress(apsw.Error):  # it may have been rolled back by what went wrong
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        for job in jobs:
            job.error = self._refused(exc)


def _one_by_one(connection: apsw.Connection, works: Sequence[Work[T]]) -> list[T]:
    return [work(connection) for work in works]


def _bulk(job: _Job) -> Bulk[Any, Any]:
    return job.bulk


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


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
