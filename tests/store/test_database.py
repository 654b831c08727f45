"""One file, one writer that commits in groups, readers that see what is committed."""

from __future__ import annotations

import asyncio
import itertools
import re
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest
from bots import rule

from relay.errors import StorageError
from relay.store.sqlite import connection
from relay.store.sqlite.connection import Database
from relay.store.sqlite.transactions import one_by_one


@pytest.fixture(params=[False, True], ids=["thread", "loop"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    opened = Database(tmp_path / "relay.db", patient=request.param)
    yield opened
    opened.close()


def put(connection: apsw.Connection, key: str) -> None:
    connection.execute("INSERT INTO meta VALUES (?, 'x')", (key,))


def keys(connection: apsw.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT key FROM meta WHERE key <> 'origin'")}


def test_the_files_are_their_owners_alone(database: Database) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.path.parent.iterdir()}
    assert modes == {"relay.db": 0o600, "relay.db-wal": 0o600, "relay.db-shm": 0o600}


@rule
async def test_the_writer_syncs_its_log_at_every_commit(database: Database) -> None:
    def settings(connection: apsw.Connection) -> list[object]:
        return [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await database.write(settings) == ["wal", 2, 1]


@rule
async def test_a_job_that_fails_does_not_undo_its_neighbours(database: Database) -> None:
    def half(connection: apsw.Connection) -> None:
        put(connection, "half")
        raise ValueError("changed its mind")

    jobs = [
        lambda db: put(db, "before"),
        half,
        lambda db: put(db, "half and half"),
        lambda db: put(db, "x" * 9),
    ]
    ended = await asyncio.gather(*(database.write(job) for job in jobs), return_exceptions=True)
    assert [type(each) for each in ended] == [type(None), ValueError, type(None), type(None)]
    assert await database.read(keys) == {"before", "half and half", "x" * 9}


@rule
async def test_what_waits_is_committed_together(database: Database) -> None:
    commits = itertools.count(1)
    await database.write(lambda db: db.set_commit_hook(lambda: not next(commits)))
    blocker = database._open()
    blocker.execute("BEGIN IMMEDIATE")
    works = [partial(put, key=str(number)) for number in range(100)]
    jobs = [asyncio.ensure_future(database.write(work)) for work in works]
    await asyncio.sleep(0)
    blocker.execute("ROLLBACK")
    blocker.close()
    await asyncio.gather(*jobs)
    assert next(commits) <= 6  # one for the hook itself, and a few for a hundred that wait


@rule
async def test_a_reader_sees_only_what_is_committed(database: Database) -> None:
    def look_during(connection: apsw.Connection) -> set[str]:
        put(connection, "new")
        return keys(database._reader)

    assert await database.write(look_during) == set()
    assert await database.read(keys) == {"new"}


@rule
async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError, match="could not be read"):
        await database.read(lambda db: put(db, "x"))


@rule
async def test_a_commit_by_another_process_is_noticed(database: Database) -> None:
    seen = database.version()
    assert database.version() == seen
    other = apsw.Connection(str(database.path))
    other.execute("INSERT INTO meta VALUES ('x', 'y')")
    other.close()
    assert database.version() != seen


@rule
async def test_a_full_disk_fails_the_batch_and_the_next_one_goes_on(database: Database) -> None:
    def fill(connection: apsw.Connection) -> None:
        connection.pragma("max_page_count", int(str(connection.pragma("page_count"))))
        connection.execute("INSERT INTO damaged (reason, body, received_at) VALUES ('x', zeroblob(9999), 0)")

    with pytest.raises(StorageError, match="could not be written"):
        await database.write(fill)
    await database.write(lambda db: db.pragma("max_page_count", 2**30))
    await database.write(lambda db: put(db, "after"))
    assert await database.read(keys) == {"after"}


@rule
async def test_using_it_after_the_end_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db")
    database.close()
    for use in (database.write, database.read):
        with pytest.raises(StorageError, match="closed"):
            await asyncio.wait_for(use(keys), 5)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time passes here, as SQLite asks no clock of ours: as little of it as will do."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 50)


def lock(path: Path) -> apsw.Connection:
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    return other


@pytest.mark.usefixtures("short_waits")
@rule
async def test_a_patient_writer_outlasts_whoever_holds_the_lock(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db", patient=True)
    other = lock(database.path)
    job = asyncio.ensure_future(database.write(lambda db: put(db, "late")))
    await asyncio.wait({job}, timeout=0.15)
    assert not job.done()
    other.close()
    await job
    assert await database.read(keys) == {"late"}
    database.close()


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("patient", [False, True])
@rule
async def test_a_lock_that_is_never_let_go_keeps_nobody_for_ever(tmp_path: Path, patient: bool) -> None:
    database = Database(tmp_path / "relay.db", patient=patient)
    other = lock(database.path)
    job = asyncio.ensure_future(database.write(keys))
    await asyncio.sleep(0)
    if patient:
        database.close()
    with pytest.raises(StorageError, match="locked"):
        await job
    database.close()
    other.close()


@pytest.mark.usefixtures("short_waits")
def test_a_database_that_is_locked_at_the_start_is_told_of(tmp_path: Path) -> None:
    Database(tmp_path / "relay.db").close()
    other = lock(tmp_path / "relay.db")
    with pytest.raises(StorageError, match="locked"):
        Database(tmp_path / "relay.db")
    other.close()


@rule
async def test_a_hurried_writer_leaves_it_to_others_to_bring_the_log_into_the_database(
    tmp_path: Path,
) -> None:
    def much(connection: apsw.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('much', hex(zeroblob(3000000)))")

    hurried, other = Database(tmp_path / "relay.db", hurried=True), Database(tmp_path / "relay.db")
    await hurried.write(much)
    before = hurried.path.stat().st_size
    await other.write(lambda db: put(db, "one"))
    after = hurried.path.stat().st_size
    hurried.close()
    other.close()
    assert before < 1_000_000
    assert after > 6_000_000


@rule
async def test_a_loop_goes_on_while_its_writer_waits_for_the_lock(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db", patient=True)
    other = lock(database.path)
    job = asyncio.ensure_future(database.write(lambda db: put(db, "late")))
    for _ in range(3):
        await asyncio.sleep(0.001)  # the loop's own time: it would not pass while the loop is held up
    assert not job.done()
    other.close()
    await job
    database.close()


@rule
async def test_whoever_cancels_every_task_cancels_no_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db", patient=True)
    jobs = [database.share(one_by_one, partial(put, key=str(number))) for number in range(100)]
    for turns in range(6):  # before it has begun, while it commits, and in between
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*jobs), 5)
    assert len(await database.read(keys)) == 100
    database.close()


@rule
async def test_a_loop_that_closes_its_database_finishes_what_was_asked_for(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db", patient=True)
    jobs = [database.share(one_by_one, partial(put, key=str(number))) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the first transaction is on its way
    database.close()
    await asyncio.gather(*jobs)
    again = Database(tmp_path / "relay.db")
    assert len(await again.read(keys)) == 100
    again.close()


@rule
async def test_a_handler_that_keeps_the_interpreter_keeps_nobody_from_the_database(tmp_path: Path) -> None:
    database, loop, ended = Database(tmp_path / "relay.db", patient=True), asyncio.get_running_loop(), []

    def hang() -> None:
        re.match(r"(a+)+$", "a" * 22 + "b")
        ended.append(time.time())

    await database.write(partial(put, key="none"))  # now the thread that commits has started
    began, job = time.time(), database.share(one_by_one, partial(put, key="one"))
    loop.call_soon(hang)  # in the turn in which the commit is given to the thread
    await job
    committed = (tmp_path / "relay.db-wal").stat().st_mtime
    assert committed - began < (ended[0] - began) / 2
    database.close()
