"""A database that is only looked into: it is neither written nor migrated, whoever has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest
from bots import rule

from relay.clock import SystemClock
from relay.errors import StorageError
from relay.store.migrate import migrations
from relay.store.sqlite import SqliteStore


def made(folder: Path) -> Path:
    path = folder / "relay.db"
    SqliteStore(path, SystemClock()).close()
    return path


def with_schema(path: Path, version: int) -> Path:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", version)
    connection.close()
    return path


def looking(path: Path) -> SqliteStore:
    return SqliteStore(path, SystemClock(), read_only=True)


@rule
async def test_it_sees_what_a_writer_has_committed(tmp_path: Path) -> None:
    path = made(tmp_path)
    writer, reader = SqliteStore(path, SystemClock()), looking(path)
    before = reader.version()
    await writer.set_meta("word", "hello")
    assert await reader.meta("word") == "hello"
    assert reader.version() != before
    writer.close()
    reader.close()


@rule
async def test_it_writes_nothing(tmp_path: Path) -> None:
    reader = looking(made(tmp_path))
    with pytest.raises(StorageError, match="read only"):
        await reader.set_meta("word", "hello")
    reader.close()


@pytest.mark.parametrize(("schema", "words"), [(1, "reads schema"), (9999, "knows schemas up to")])
def test_the_file_of_another_version_stays_as_it_is(tmp_path: Path, schema: int, words: str) -> None:
    assert schema != migrations()[-1][0]
    path = with_schema(made(tmp_path), schema)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=words):
        looking(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    path.write_text("nothing of that kind, and longer than a header " * 9)
    with pytest.raises(StorageError, match="cannot be opened"):
        looking(path)


@rule
async def test_a_file_that_is_locked_is_told_as_such(tmp_path: Path) -> None:
    path = made(tmp_path)
    other = apsw.Connection(str(path))
    other.pragma("journal_mode", "delete")
    reader = looking(path)
    other.execute("BEGIN EXCLUSIVE")
    reader._db._connection.set_busy_timeout(0)  # the reading one
    with pytest.raises(StorageError, match="could not be read"):
        await reader.meta("word")
    reader.close()
    other.close()


def test_a_file_in_a_folder_that_cannot_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    monkeypatch.setattr("os.access", lambda *_: False)  # what root is never told
    reader = looking(path)
    assert asyncio.run(reader.meta("origin"))
    reader.close()
    assert [each.name for each in tmp_path.iterdir()] == ["relay.db"]
