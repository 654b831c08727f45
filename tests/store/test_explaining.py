"""What `relay explain` and `relay try` ask of the store."""

from __future__ import annotations

import apsw
import pytest

from relay.simulator.clockwork import START
from relay.store.migrate import migrate
from relay.store.sqlite import explaining, ingest
from relay.wire.entries import Entry


def entry(account: str, svrid: str, chat: str = "R:1") -> Entry:
    return Entry("chatMsg", account, b'{"content":1}', svrid, "", "", chat, "room", "s", "R:1", "text", START)


@pytest.fixture
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    ingest.ingest(connection, [entry("a", "7"), entry("b", "8"), entry("c", "7")], [], START)
    return connection


def test_a_svrid_is_looked_for_at_every_account_and_what_was_acted_on_comes_first(
    database: apsw.Connection,
) -> None:
    assert explaining.numbered(database, "7") == [1, 3]
    database.execute("UPDATE messages SET state = 'routed', own = 0 WHERE id = 3")
    assert explaining.numbered(database, "7") == [3, 1]
    assert explaining.numbered(database, "9") == []


def test_looking_for_a_svrid_runs_over_accounts_not_over_messages(database: apsw.Connection) -> None:
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {explaining._NUMBERED}", ("7",))]
    assert not [step for step in plan if step.startswith("SCAN") and "ears" not in step]
    assert [step for step in plan if "seen" in step and "(account=? AND key=?)" in step]


def test_who_acts_in_a_room_hears_what_is_tried_there(database: apsw.Connection) -> None:
    assert explaining.acting(database, "R:1") == "c"
    database.execute("INSERT INTO rooms VALUES ('R:1', 'b', 0)")
    assert explaining.acting(database, "R:1") == "b"
    assert explaining.acting(database, "R:2") is None
