"""What comes by a receiver's journal: how far each was read, and large bodies until they have been."""

from __future__ import annotations

import json
from collections.abc import Sequence

import apsw

from relay.store.journal import Mark
from relay.store.sqlite import ask, clocks
from relay.store.sqlite.ingest import ingest_all
from relay.store.values import Aside, Callback

_MARK = "INSERT OR REPLACE INTO journals VALUES (?, ?, ?)"
_PUT = "INSERT INTO aside (body, received_at, journal) VALUES (?, ?, ?)"
_TAKE = """
UPDATE aside SET attempts = attempts + 1 WHERE id = (SELECT min(id) FROM aside WHERE journal = ?)
RETURNING id, body, received_at, attempts, parts
"""
_INHERIT = "UPDATE aside SET journal = ? WHERE journal NOT IN (SELECT value FROM json_each(?))"
_FORGET = "DELETE FROM journals WHERE name NOT IN (SELECT value FROM json_each(?))"


def ingest_journal(connection: apsw.Connection, callbacks: Sequence[Callback], mark: Mark) -> None:
    """Keep what these callbacks brought, and how far their journal was read."""
    ingest_all(connection, clocks.as_moved(connection, callbacks))
    _set_mark(connection, mark)


def marks(connection: apsw.Connection) -> dict[str, Mark]:
    """How far every journal was read."""
    return {row[0]: Mark(*row) for row in ask.every(connection, "SELECT name, epoch, offset FROM journals")}


def inherit(connection: apsw.Connection, heir: str, others: Sequence[str]) -> None:
    """Give the large bodies of all journals but these others to an heir, and forget these journals."""
    connection.execute(_INHERIT, (heir, json.dumps([heir, *others])))
    connection.execute(_FORGET, (json.dumps([heir, *others]),))


def put(connection: apsw.Connection, body: bytes, received_at: int, mark: Mark, reader: str) -> int:
    """Keep a body as it came, and that its journal was read so far; returns its number."""
    connection.execute(_PUT, (body, received_at, reader))
    number = connection.last_insert_rowid()
    _set_mark(connection, mark)
    return number


def take(connection: apsw.Connection, journal: str) -> Aside | None:
    """The oldest body of this journal, whose reading begins once more."""
    row = ask.first(connection, _TAKE, (journal,))
    return None if row is None else Aside(*row)


def keep_part(connection: apsw.Connection, number: int, part: Callback, parts: int) -> None:
    """Keep a part of a body, and that it is the so-manieth."""
    ingest_all(connection, clocks.as_moved(connection, [part]))
    connection.execute("UPDATE aside SET parts = ? WHERE id = ?", (parts, number))


def drop(connection: apsw.Connection, number: int) -> None:
    """Forget a body that has been read."""
    connection.execute("DELETE FROM aside WHERE id = ?", (number,))


def _set_mark(connection: apsw.Connection, mark: Mark) -> None:
    connection.execute(_MARK, (mark.journal, mark.epoch, mark.offset))
