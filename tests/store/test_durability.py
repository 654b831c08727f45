"""What is on disk when a call returns, and what only outlives the process (contract 4.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest
from bots import ANN, EAST, MIRROR, make_bot, rule

from relay.simulator.clockwork import START, ManualClock
from relay.store.sqlite import SqliteStore
from relay.store.sqlite.connection import Database
from relay.store.states import MessageState
from relay.store.values import Routing

SYNCED, LEFT_TO_OTHERS = "2", "1"  # SQLite's FULL and NORMAL


def how(connection: apsw.Connection) -> str:
    """How the transaction that this runs in, or the last one, is committed."""
    return str(connection.pragma("synchronous"))


@rule
async def test_one_piece_of_work_that_asks_for_a_sync_is_enough(tmp_path: Path) -> None:
    database = Database(tmp_path / "relay.db", patient=True)
    assert await database.write(how, synced=False) == LEFT_TO_OTHERS
    both = database.write(how, synced=False), database.write(how)
    assert [*await asyncio.gather(*both)] == [SYNCED, SYNCED]
    database.close()


@pytest.mark.parametrize("patient", [False, True])
@rule
async def test_what_is_not_synced_is_committed_all_the_same(tmp_path: Path, patient: bool) -> None:
    database, other = Database(tmp_path / "relay.db", patient=patient), Database(tmp_path / "relay.db")
    await database.write(lambda db: db.execute("INSERT INTO meta VALUES ('k', 'v')"), synced=False)
    found = await other.read(lambda db: db.execute("SELECT value FROM meta WHERE key = 'k'").fetchall())
    assert found == [("v",)]
    database.close()
    other.close()


@rule
async def test_an_intent_is_on_disk_and_with_it_the_decision_that_it_rests_on(tmp_path: Path) -> None:
    async with make_bot(MIRROR, configured=True, folder=tmp_path) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.simulator.settle()
        await bot.router.drain()
        store = SqliteStore(tmp_path / "relay.db", ManualClock(START), patient=True)
        epoch = await store.begin_sending(30_000)
        await store.finish(Routing(1, MessageState.ROUTED), 1000)
        assert how(store._db._connection) == LEFT_TO_OTHERS
        assert len(await store.record_intent((await store.due(1))[0], epoch)) == 1
        assert how(store._db._connection) == SYNCED
        store.close()
