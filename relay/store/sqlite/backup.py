"""A compact copy of the database as it is at one moment, while others read and write it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from relay.store.journal import sync
from relay.store.sqlite import ask
from relay.store.sqlite.connection import BUSY_TIMEOUT

STEPS = 20_000  # of SQLite's machine between two looks at how far it is
Told = Callable[[float], None]
"""Called now and then with the part that is done, from 0 to 1."""


def back_up(source: Path, target: Path, told: Told) -> dict[str, int]:
    """Write the copy under another name beside `target`, and give it its name once it is on disk.

    Returns how many rows of each kind are in it; nothing of what was removed is, nor room for it.
    Raises `apsw.Error` and `OSError`.
    """
    with _unfinished(target) as part:
        # A connection that may write nothing cannot write the copy either; this one leaves the source alone.
        connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
        with contextlib.closing(connection):
            connection.set_busy_timeout(BUSY_TIMEOUT)
            connection.pragma("auto_vacuum", "incremental")
            whole = _size(connection)
            connection.set_progress_handler(lambda: _tell(part, whole, told), STEPS)
            connection.execute("VACUUM INTO ?", (str(part),))
        copied = _counted(part)
        _sync(part, os.O_RDWR)
        part.replace(target)
        _sync(target.parent, os.O_RDONLY)
    return copied


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A file for its owner alone, which is gone afterwards if it still has this name."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        yield part
    finally:
        for left in (part, part.with_name(part.name + "-journal")):
            left.unlink(missing_ok=True)


def _counted(part: Path) -> dict[str, int]:
    with contextlib.closing(apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READONLY)) as copy:
        return {
            table: ask.value(copy, f"SELECT count(*) FROM {table}") for table in ("messages", "deliveries")
        }


def _size(connection: apsw.Connection) -> int:
    """How large the copy is going to be, at the most."""
    pages, free, size = (
        int(str(connection.pragma(name))) for name in ("page_count", "freelist_count", "page_size")
    )
    return max(1, (pages - free) * size)


def _tell(part: Path, whole: int, told: Told) -> bool:
    """Tell how far it is; false, so that SQLite goes on."""
    told(min(1.0, part.stat().st_size / whole))
    return False


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        if flags == os.O_RDONLY:
            os.fsync(file)  # a folder, whose entry it is
        else:
            sync(file)
    finally:
        os.close(file)
