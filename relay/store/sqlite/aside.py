"""Large callbacks whose bytes are kept until they have been read."""

from __future__ import annotations

import apsw

from relay.store.sqlite import ask

_PUT = "INSERT INTO aside (body, received_at) VALUES (?, ?)"
_TAKE = """
UPDATE aside SET attempts = attempts + 1 WHERE id = (SELECT min(id) FROM aside) RETURNING id, body, attempts
"""


def put(connection: apsw.Connection, body: bytes, now: int) -> int:
    """Keep a body as it came; returns its number."""
    connection.execute(_PUT, (body, now))
    return connection.last_insert_rowid()


def take(connection: apsw.Connection) -> tuple[int, bytes, int] | None:
    """The oldest: its number, its bytes, and how often its reading was begun, this time counted."""
    row = ask.first(connection, _TAKE)
    return None if row is None else (row[0], row[1], row[2])


def drop(connection: apsw.Connection, number: int) -> None:
    """Forget a body that has been read."""
    connection.execute("DELETE FROM aside WHERE id = ?", (number,))
