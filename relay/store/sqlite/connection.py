"""One SQLite file: one connection that writes to it in groups, and those that read."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from relay.errors import StorageError
from relay.store.migrate import migrate
from relay.store.sqlite.transactions import LONG_LOG, PAGE, A, Bulk, Job, T, Transactions, Work, one_by_one
from relay.store.sqlite.writers import LoopWriter, ThreadWriter

BUSY_TIMEOUT = 10_000  # milliseconds; transactions are short, so this is an accident, not a queue


class Database:
    """A connection pair to one file: `write` joins the next group commit, `read` sees what is committed.

    A `patient` one is for a role: it works on the loop, and waits for a database that others have locked
    until it is closed; any other waits 10 s, in a thread. A `hurried` one asks for the lock more often than
    the others, and leaves it to them to bring the log into the database.
    """

    def __init__(
        self, path: Path, *, synchronous: str = "FULL", patient: bool = False, hurried: bool = False
    ) -> None:
        self.path = path
        self._hurried = hurried
        self._closed = False
        self._synchronous = synchronous
        self._connection = self._open()
        self._migrate()
        self._reader = self._open(read_only=True)
        self._watcher = self._open(read_only=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay-read")
        transactions = Transactions(self._connection, path.name)
        self._writer: LoopWriter | ThreadWriter = (
            LoopWriter(transactions, hurried=hurried)
            if patient
            else ThreadWriter(transactions, BUSY_TIMEOUT / 1000)
        )

    def _migrate(self) -> None:
        try:
            migrate(self._connection)
            self._connection.set_busy_timeout(0)  # the writer has its own way to wait
            if self._hurried:
                self._connection.wal_autocheckpoint(LONG_LOG)
        except apsw.Error as exc:
            self._connection.close()
            raise StorageError(f"{self.path} cannot be brought up to date: {exc}") from exc

    def _open(self, *, read_only: bool = False) -> apsw.Connection:
        try:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = apsw.Connection(str(self.path), statementcachesize=200)
            connection.set_busy_timeout(BUSY_TIMEOUT)
            connection.pragma("auto_vacuum", "incremental")  # only a file that is still empty can learn that
            connection.pragma("journal_mode", "wal")
            connection.pragma("secure_delete", True)  # what is removed leaves nothing in the file's free room
            connection.pragma("journal_size_limit", LONG_LOG * PAGE)
            connection.pragma("synchronous", self._synchronous)
            connection.pragma("foreign_keys", True)
            connection.pragma("query_only", read_only)
        except (apsw.Error, OSError) as exc:
            raise StorageError(f"{self.path} cannot be opened as a database: {exc}") from exc
        return connection

    async def write(self, work: Work[T], *, synced: bool = True) -> T:
        """Run `work` inside the next transaction and return after its commit is on disk.

        What is not `synced` outlives the process by then, and a power cut once any other commit has followed.

        An exception undoes this piece of work alone; `StorageError` when the commit itself fails. Where a
        neighbour in the transaction fails, it is run a second time.
        """
        return await self.share(one_by_one, work, synced=synced)

    def share(self, bulk: Bulk[A, T], argument: A, *, synced: bool = True) -> asyncio.Future[T]:
        """The same for work that is cheaper in common: `bulk` is called once for all arguments that wait."""
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.put(Job(bulk, argument, future, loop, synced))
        return future

    async def read(self, work: Work[T]) -> T:
        """Run `work` on the reading connection; `StorageError` where the file cannot be read."""
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._reader)
        except apsw.Error as exc:
            raise StorageError(f"{self.path.name} could not be read: {exc}") from exc

    def glance(self, work: Work[T]) -> T:
        """Run `work` here and now, which is for what takes microseconds: a thread would take more."""
        if self._closed:
            raise StorageError(f"{self.path.name} is closed")
        try:
            return work(self._watcher)
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
        self._writer.close()
        self._pool.shutdown()
        self._watcher.close()
        self._reader.close()
        self._connection.close()
