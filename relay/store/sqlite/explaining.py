"""One message and why it did what it did: what `relay explain` asks."""

from __future__ import annotations

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.queries import Row, message_rows

# `seen` is ordered by account first: one step to each account, and there to the svrid.
_NUMBERED = """
WITH RECURSIVE ears (account) AS (
  SELECT min(account) FROM seen
  UNION ALL SELECT (SELECT min(account) FROM seen WHERE account > ears.account) FROM ears
  WHERE ears.account IS NOT NULL
)
SELECT messages.id FROM ears
JOIN seen ON seen.account = ears.account AND seen.key = ? JOIN messages ON messages.id = seen.message
ORDER BY messages.state <> 'routed', messages.id
"""
_TRACE = "SELECT plugin, rule, decision, reason, ms FROM traces WHERE message = ? ORDER BY ordinal"
_ACTING = "SELECT acting FROM rooms WHERE chat = ?"
_LAST_EAR = "SELECT account FROM messages WHERE chat = ? ORDER BY id DESC LIMIT 1"


def message(connection: apsw.Connection, number: int) -> Row | None:
    """One received message."""
    found = message_rows(connection, "id = ?", (number,))
    return found[0] if found else None


def numbered(connection: apsw.Connection, svrid: str) -> list[int]:
    """The messages with this svrid at any of our accounts; first those that were acted on."""
    return [row[0] for row in ask.every(connection, _NUMBERED, (svrid,))]


def trace(connection: apsw.Connection, number: int) -> list[Row]:
    """What was decided about a message, line by line."""
    names = ("plugin", "rule", "decision", "reason", "ms")
    return [dict(zip(names, row, strict=True)) for row in ask.every(connection, _TRACE, (number,))]


def acting(connection: apsw.Connection, chat: str) -> str | None:
    """The account that acts in a room; in a private chat the one that heard it last."""
    found = ask.value(connection, _ACTING, (chat,)) or ask.value(connection, _LAST_EAR, (chat,))
    return None if found is None else str(found)
