"""Large callbacks whose bytes are kept until they have been read."""

from __future__ import annotations

import apsw

from relay.store.sqlite import ask

_PUT = "INSERT INTO aside (body, received_at) VALUES (?, ?)"
_TAKE = """
UPDATE aside SET attempts = attempts + 1 WHERE id = (SELECT min(id) FROM aside)
RETURNING id, body, received_at, attempts
"""


def put(connection: apsw.Connection, body: bytes, received_at: int) -> int:
    """Keep a body as it came; returns its number."""
    connection.execute(_PUT, (body, received_at))
    return connection.last_insert_rowid()


def take(connection: apsw.Connection) -> tuple[int, bytes, int, int] | None:
    """The oldest: its number, its bytes, when it came, and how often its reading was begun by now."""
    row = ask.first(connection, _TAKE)
    return None if row is None else (row[0], row[1], row[2], row[3])


def drop(connection: apsw.Connection, number: int) -> None:
    """Forget a body that has been read."""
    connection.execute("DELETE FROM aside WHERE id = ?", (number,))
