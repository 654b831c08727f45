"""A bot of a test begins with the database that any new bot has, though nobody made it for this one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
from bots import make_bot, rule

from relay.store.sqlite.connection import Database
from relay.testing.blank import write_blank

_LOOKS = ("SELECT type, name, sql FROM sqlite_schema ORDER BY name", "SELECT key FROM meta")
_LIKE = ("user_version", "auto_vacuum", "journal_mode", "page_size")


def looked(path: Path) -> list[object]:
    """All that a database is, but for the mark of its own."""
    Database(path).close()
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        found: list[object] = [connection.execute(sql).fetchall() for sql in _LOOKS]
        return [*found, *(connection.pragma(name) for name in _LIKE), path.stat().st_mode]


def test_a_blank_is_what_the_store_makes_of_no_file(tmp_path: Path) -> None:
    write_blank(tmp_path / "blank.db")
    assert looked(tmp_path / "blank.db") == looked(tmp_path / "new.db")


def test_a_database_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "relay.db").write_bytes(b"")
    write_blank(tmp_path / "relay.db")
    assert (tmp_path / "relay.db").read_bytes() == b""


@rule
async def test_two_bots_have_each_a_mark_of_their_own() -> None:
    async with make_bot() as one, make_bot() as other:
        assert one.store.origin != other.store.origin
