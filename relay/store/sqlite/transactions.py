"""One transaction for all that waits: work that fails undoes itself, and none of its neighbours."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw

from relay.errors import StorageError

T = TypeVar("T")
A = TypeVar("A")
Work = Callable[[apsw.Connection], T]
Bulk = Callable[[apsw.Connection, Sequence[A]], Sequence[T]]  # one result for each argument, in their order

PAGE = 4_096  # bytes
LONG_LOG = 16_000  # pages of log, 64 MB, that who is in a hurry leaves to others; these take 1,000

REFUSALS = (
    *(apsw.BusyError, apsw.CantOpenError, apsw.CorruptError, apsw.FullError, apsw.IOError, apsw.LockedError),
    *(apsw.NoMemError, apsw.NotADBError, apsw.PermissionsError, apsw.ProtocolError, apsw.ReadOnlyError),
)
"""What is the disk's fault, or its owner's; any other error of SQLite is the work's own."""


class Job:
    """A `bulk` and the argument that it is to be called with, among others'.

    What is not `synced` outlives the process at once, and a power cut with the next commit that is.
    """

    __slots__ = ("argument", "bulk", "error", "future", "loop", "result", "synced")

    def __init__(
        self,
        bulk: Bulk[Any, Any],
        argument: object,
        future: asyncio.Future[Any],
        loop: asyncio.AbstractEventLoop,
        synced: bool = True,
    ) -> None:
        self.synced = synced
        self.bulk = bulk
        self.argument = argument
        self.future = future
        self.loop = loop
        self.result: object = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell whoever waits; on the loop's own thread."""
        if self.future.done():
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            if self.error is not None:
                self.future.set_exception(self.error)
            else:
                self.future.set_result(self.result)


class Transactions:
    """What is done with the one connection that writes; by one thread at a time."""

    def __init__(self, connection: apsw.Connection, name: str) -> None:
        self.connection = connection
        self.synced = True  #: whether the next commit returns only once it is on disk
        self._name = name
        self._synchronous = str(connection.pragma("synchronous"))
        self._pages = int(str(connection.pragma("wal_autocheckpoint")))

    def begin(self, *, synced: bool = True) -> None:
        """Take the lock; raises `apsw.BusyError` where another process has it for too long."""
        if synced is not self.synced:
            self._demand(synced)
        self.connection.execute("BEGIN IMMEDIATE")

    def _demand(self, synced: bool) -> None:
        """Let commits wait for the disk, or leave that to others, and with it to bring the log home."""
        self.connection.pragma("synchronous", self._synchronous if synced else "NORMAL")
        self.connection.wal_autocheckpoint(self._pages if synced else max(self._pages, LONG_LOG))
        self.synced = synced

    def work(self, jobs: Sequence[Job]) -> None:
        """Do all of it within the transaction; raises `apsw.Error` only where it undid everything."""
        self.connection.execute("SAVEPOINT jobs")
        try:
            self._attempt_all(jobs)
        except Exception as exc:  # found again, and told, by whoever tries them one by one
            if not self.connection.in_transaction and isinstance(exc, apsw.Error):
                raise
            self.connection.execute("ROLLBACK TO jobs")
            for job in jobs:
                self._attempt(job)
        self.connection.execute("RELEASE jobs")

    def commit(self) -> None:
        """Return once it is on disk."""
        self.connection.execute("COMMIT")

    def give_up(self, jobs: Sequence[Job], exc: apsw.Error) -> None:
        """Undo what is left of the transaction: none of these was done."""
        with contextlib.suppress(apsw.Error):  # it may have been rolled back by what went wrong
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        for job in jobs:
            job.error = self._refused(exc)

    def _attempt_all(self, jobs: Sequence[Job]) -> None:
        """Take for granted that none fails."""
        for bulk, group in itertools.groupby(jobs, key=_bulk):
            alike = list(group)
            results = bulk(self.connection, [job.argument for job in alike])
            for job, result in zip(alike, results, strict=True):
                job.result = result

    def _attempt(self, job: Job) -> None:
        self.connection.execute("SAVEPOINT job")
        try:
            job.result = job.bulk(self.connection, [job.argument])[0]
        except Exception as exc:  # whose work it is gets to see it, by its future
            if not self.connection.in_transaction and isinstance(exc, apsw.Error):
                raise  # SQLite has undone the whole batch with it
            job.error = self._refused(exc) if isinstance(exc, REFUSALS) else exc
            self.connection.execute("ROLLBACK TO job")
        self.connection.execute("RELEASE job")

    def _refused(self, exc: BaseException) -> StorageError:
        full = isinstance(exc, apsw.FullError)
        return StorageError(f"{self._name} could not be written: {exc}", full=full)


def one_by_one(connection: apsw.Connection, works: Sequence[Work[T]]) -> list[T]:
    """The bulk of work that has nothing in common."""
    return [work(connection) for work in works]


def _bulk(job: Job) -> Bulk[Any, Any]:
    return job.bulk
