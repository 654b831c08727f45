"""Impossible rows are refused by the schema, whoever writes them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import pytest
from bots import rule
from store.deliveries import force, new_database, put

from relay.errors import StorageError
from relay.simulator.clockwork import ManualClock
from relay.store.migrate import migrate, migrations
from relay.store.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("state", "columns"),
    [
        ("accepted", {"evidence": None}),
        ("accepted", {"settle_at": None}),
        ("accepted", {"spoken": 1}),
        ("delivered", {"evidence": None}),
        ("delivered", {"evidence": "hearsay"}),
        ("delivered", {"settle_at": 1}),
        ("delivered", {"spoken": 1}),
        ("unknown", {"settle_at": None}),
        ("queued", {"settle_at": 1}),
        ("held", {"error": None}),
        ("failed", {"error": None}),
        ("sending", {"attempts": 0}),
        ("unknown", {"attempts": 0}),
        ("queued", {"spent": 2}),
        ("queued", {"attempts": -1}),
        ("queued", {"body": b"{}"}),
        ("queued", {"kind": "send"}),
        ("queued", {"kind": "carried"}),
        ("queued", {"account": ""}),
        ("queued", {"target": ""}),
        ("queued", {"message": 7}),
        ("queued", {"position": "first"}),
    ],
)
def test_an_impossible_delivery_is_refused(state: str, columns: dict[str, Any]) -> None:
    connection = new_database()
    force(connection, state)
    with pytest.raises((apsw.ConstraintError, apsw.MismatchError)):
        put(connection, state, **columns)


@pytest.mark.parametrize(
    "columns",
    [
        "state = 'lost'",
        "state = 'skipped'",
        "state = 'set_aside'",
        "state = 'routed'",
        "own = 2",
        "chat_type = 'square'",
        "attempts = -1",
        "source = 99",
        "raw = 'text'",
    ],
)
def test_an_impossible_message_is_refused(columns: str) -> None:
    with pytest.raises(apsw.ConstraintError):
        new_database().execute(f"UPDATE messages SET {columns}")


@pytest.mark.parametrize(
    "values", ["(1, 0, 'a', 1, NULL, NULL)", "(1, 1, 'a', 1, 2, NULL)", "(1, 1, 'a', 1, 2, 'lucky')"]
)
def test_an_impossible_attempt_is_refused(values: str) -> None:
    sql = "INSERT INTO attempts (delivery, number, account, started_at, ended_at, outcome) VALUES "
    with pytest.raises(apsw.ConstraintError):
        new_database().execute(sql + values)


def test_a_delivery_begins_queued() -> None:
    copied = """
        INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position, state,
                                attempts, due_at, expires_at, created_at, updated_at)
        SELECT message, plugin, rule, 1, kind, account, 'R:3', 2, 'sending', 1, 0, 9, 0, 0 FROM deliveries
    """
    with pytest.raises(apsw.ConstraintError, match="begins queued"):
        new_database().execute(copied)


def test_a_message_is_forwarded_to_a_target_once_whoever_asks() -> None:
    copied = """
        INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position,
                                due_at, expires_at, created_at, updated_at)
        SELECT message, 'another', 'rule', 5, kind, account, target, 2, 0, 9, 0, 0 FROM deliveries
    """
    with pytest.raises(apsw.ConstraintError, match="UNIQUE"):
        new_database().execute(copied)


def test_every_table_is_strict() -> None:
    tables = new_database().execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    assert [name for name, strict in tables if not strict and not str(name).startswith("sqlite_")] == []


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    files = [file.name for file in resources.files("relay.store").joinpath("sql").iterdir()]
    assert all(re.fullmatch(r"\d{4}_\w+\.sql", name) for name in files)
    assert [number for number, _ in migrations()] == list(range(1, len(files) + 1))


def test_migrating_again_changes_nothing() -> None:
    connection = new_database()
    before = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    origin = connection.execute("SELECT * FROM meta").fetchall()
    assert migrate(connection) == migrations()[-1][0]
    assert connection.execute("SELECT name, sql FROM sqlite_master").fetchall() == before
    assert connection.execute("SELECT * FROM meta").fetchall() == origin


@rule
async def test_a_database_of_a_newer_relay_is_refused_untouched(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "relay.db", ManualClock()).close()
    raw = apsw.Connection(str(tmp_path / "relay.db"))
    raw.pragma("user_version", 99)
    with pytest.raises(StorageError, match="schema 99, and this relay knows schemas up to"):
        SqliteStore(tmp_path / "relay.db", ManualClock())
    assert raw.pragma("user_version") == 99
