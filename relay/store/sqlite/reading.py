"""Look into a database that belongs to somebody else: nothing is written, migrated or made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Never, TypeVar
from urllib.parse import quote

import apsw

from relay.errors import StorageError
from relay.store import texts
from relay.store.migrate import refuse_other_schema
from relay.store.sqlite.connection import BUSY_TIMEOUT
from relay.store.sqlite.transactions import A, Bulk, Work

T = TypeVar("T")


class ReadOnlyDatabase:
    """One reading connection; `StorageError` where the file is none, or of another version's schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = _open(path)
            version = int(str(self._connection.pragma("user_version")))
        except apsw.Error as exc:
            raise StorageError(texts.NOT_OPENED.filled(path=path, reason=exc)) from exc
        try:
            refuse_other_schema(version)
        except StorageError:
            self._connection.close()
            raise

    async def read(self, work: Work[T]) -> T:
        """Run `work` and return its result; `StorageError` where the file cannot be read."""
        return self.glance(work)

    def glance(self, work: Work[T]) -> T:
        """The same for whoever does not wait."""
        try:
            return work(self._connection)
        except apsw.Error as exc:
            raise StorageError(
                texts.NOT_READ.filled(name=self.path.name, reason=exc), texts.NOT_READ_HINT
            ) from exc

    async def write(self, _: Work[T], *, synced: bool = True) -> Never:
        """Refuse."""
        raise StorageError(texts.READ_ONLY.filled(name=self.path.name))

    def share(self, bulk: Bulk[A, T], argument: A, *, synced: bool = True) -> Never:
        """Refuse."""
        raise StorageError(texts.READ_ONLY.filled(name=self.path.name))

    def version(self) -> int:
        """A number that differs once anybody has committed."""
        return int(str(self._connection.pragma("data_version")))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def address_of(path: Path) -> str:
    """By which SQLite opens a file to be read only."""
    # Beside a file in a folder that is not ours to write, SQLite cannot coordinate with writers; where
    # none has left a log, there is none, and the file can be read as it is.
    alone = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
    return f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if alone else ''}"


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(address_of(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    connection.set_busy_timeout(BUSY_TIMEOUT)
    connection.pragma("query_only", True)
    return connection
