"""How many deliveries stand in each state is known without counting those that ended."""

from __future__ import annotations

import random
from collections import Counter

import apsw
import pytest
from store.deliveries import LEGAL, NOTHING, new_database

from relay.store.migrate import migrations
from relay.store.sqlite import ingest, queries
from relay.store.states import STEPS, DeliveryState
from relay.wire.entries import Entry

ENDED = ("delivered", "failed", "expired", "discarded")


def counted(connection: apsw.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall()
    return {str(state): int(str(count)) for state, count in rows}


def told(connection: apsw.Connection) -> dict[str, int]:
    counts = queries.counts(connection)["deliveries"]
    assert isinstance(counts, dict)
    return {state: count for state, count in counts.items() if count}


def copies(connection: apsw.Connection, count: int) -> None:
    """So many more deliveries like the first."""
    for number in range(2, count + 1):
        connection.execute(
            "INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position,"
            " attempts, due_at, expires_at, created_at, updated_at)"
            " VALUES (1, 'p', 'r', ?1, 'forward', 'a', ?1, ?1, 1, 0, 9, 0, 0)",
            (number,),
        )


def test_the_counts_are_right_whatever_steps_deliveries_take() -> None:
    chance = random.Random(1)
    connection = new_database()
    copies(connection, 20)
    states = dict.fromkeys(range(1, 21), DeliveryState.QUEUED)
    for _ in range(500):
        number = chance.choice(list(states))
        state = chance.choice(
            [after for before, after in STEPS if before is states[number]] or [states[number]]
        )
        columns = {**NOTHING, **LEGAL[state], "state": state}
        assigned = ", ".join(f"{name} = :{name}" for name in columns)
        connection.execute(f"UPDATE deliveries SET {assigned} WHERE id = :id", {**columns, "id": number})
        states[number] = state
        assert told(connection) == counted(connection) == Counter(map(str, states.values()))
    connection.execute("DELETE FROM deliveries WHERE id <= 10")
    assert told(connection) == counted(connection)


@pytest.mark.parametrize("state", ENDED)
def test_those_that_ended_are_not_counted_one_by_one(state: str) -> None:
    plan = " ".join(
        str(row[3]) for row in new_database().execute(f"EXPLAIN QUERY PLAN {queries._IN_EACH_STATE}")
    )
    assert "SCAN deliveries" not in plan
    assert f"'{state}'" not in queries._IN_EACH_STATE


def test_a_database_with_deliveries_learns_its_counts_when_it_is_brought_up_to_date() -> None:
    connection = new_database()
    copies(connection, 3)
    connection.execute("UPDATE deliveries SET state = 'expired' WHERE id < 3")
    names = ("deliveries_ended", "deliveries_not_ended", "deliveries_removed")
    connection.execute("DROP TABLE tally;" + "".join(f"DROP TRIGGER {name};" for name in names))
    connection.execute(next(sql for _, sql in migrations() if "CREATE TABLE tally" in sql))
    assert told(connection) == {"queued": 1, "expired": 2}


def test_events_of_many_kinds_are_told_apart_only_so_far() -> None:
    connection = new_database()
    for number in range(1000):
        ingest._keep_event(connection, Entry(f"kind {number}", "a", b"{}"), 0)
    kinds = [name for name in queries.counters(connection) if name.startswith("events_total:")]
    assert len(kinds) == ingest.MOST_EVENT_KINDS + 1
    assert queries.counters(connection)["events_total:other"] == 1000 - ingest.MOST_EVENT_KINDS
    ingest._keep_event(connection, Entry("kind 7", "a", b"{}"), 0)
    assert queries.counters(connection)["events_total:kind 7"] == 2
