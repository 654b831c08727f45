"""The database of a new bot: what takes longest of it, its schema, is made once in a process."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path

import apsw

from relay.store.sqlite.connection import Database

MODE = 0o600  # as the store itself makes it


def write_blank(path: Path) -> None:
    """Have an empty database there, unless there is one; where there can be none, the store says so."""
    if not path.exists():
        with contextlib.suppress(OSError):
            path.touch(MODE)
            path.write_bytes(_blank())


@functools.cache
def _blank() -> bytes:
    """What the store makes of no file, without the mark that tells each database from all others."""
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        path = Path(folder) / "relay.db"
        Database(path, synchronous="OFF").close()
        with contextlib.closing(apsw.Connection(str(path))) as connection:
            connection.execute("DELETE FROM meta WHERE key = 'origin'")
        return path.read_bytes()
