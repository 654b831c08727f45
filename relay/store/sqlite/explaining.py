"""One message and why it did what it did: what `relay explain` asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.queries import Row, delivery_id, message_id, message_rows, occasion_id, rfc3339

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
_LINES = ("plugin", "rule", "decision", "reason", "ms")
_TRACE = "SELECT plugin, rule, decision, reason, ms FROM traces WHERE message = ? ORDER BY ordinal"
_OCCASION_TRACE = """
SELECT plugin, rule, decision, reason, ms FROM occasion_traces WHERE occasion = ? ORDER BY ordinal
"""
_OCCASIONS = """
SELECT o.id, o.kind, o.plugin, o.handler, o.subject, o.became, o.account, o.chat, o.sender,
       coalesce(
         o.message, (SELECT d.message FROM deliveries d WHERE o.kind = 'delivery' AND d.id = o.subject)),
       coalesce((SELECT e.kind FROM events e WHERE o.kind = 'event' AND e.id = o.subject), ''),
       o.at, o.state, o.reason, o.attempts
FROM occasions o
"""
_OF_MESSAGE = """
o.id IN (
  SELECT id FROM occasions WHERE message = ?1
  UNION SELECT c.id FROM deliveries d JOIN occasions c
    ON c.kind = 'delivery' AND c.subject = d.id WHERE d.message = ?1)
"""
_REQUESTS = """
SELECT delivery, number, started_at, ended_at, outcome, error, echo, failure FROM attempts
WHERE delivery IN (SELECT value FROM json_each(?)) ORDER BY delivery, number
"""
_COPIES = """
SELECT copy.id FROM messages JOIN messages copy ON copy.source = messages.source AND copy.id <> messages.id
WHERE messages.id = ? ORDER BY copy.id
"""
# An echo comes within a day of its request; there is no index by echoes.
_ECHO_OF = """
SELECT delivery FROM messages JOIN attempts
  ON started_at BETWEEN received_at - 86400000 AND received_at + 60000 AND echo = messages.id
WHERE messages.id = ?
"""
_AHEAD = """
SELECT count(*) FROM messages JOIN messages before INDEXED BY messages_waiting
  ON before.state = 'waiting' AND before.id < messages.id
  AND before.account = messages.account AND before.chat = messages.chat
WHERE messages.id = ? AND messages.state = 'waiting'
"""
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'messages'"
_SEEN = """
WITH RECURSIVE ears (account) AS (
  SELECT min(account) FROM seen
  UNION ALL SELECT (SELECT min(account) FROM seen WHERE account > ears.account) FROM ears
  WHERE ears.account IS NOT NULL
)
SELECT 1 FROM ears JOIN seen ON seen.account = ears.account AND seen.key = ? LIMIT 1
"""
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
    return [dict(zip(_LINES, row, strict=True)) for row in ask.every(connection, _TRACE, (number,))]


def occasion(connection: apsw.Connection, number: int) -> Row | None:
    """What was handled, with its trace."""
    found = ask.first(connection, f"{_OCCASIONS} WHERE o.id = ?", (number,))
    if found is None:
        return None
    lines = ask.every(connection, _OCCASION_TRACE, (number,))
    return _occasion(found) | {"trace": [dict(zip(_LINES, row, strict=True)) for row in lines]}


def occasions(connection: apsw.Connection, message: int | None, state: str, limit: int) -> list[Row]:
    """What was handled or is to be, newest first."""
    asked = "?1 IS NULL" if message is None else _OF_MESSAGE
    where = f"{asked} AND (?2 = '' OR o.state = ?2) ORDER BY o.id DESC LIMIT ?3"
    rows = ask.every(connection, f"{_OCCASIONS} WHERE {where}", (message, state, limit))
    return [_occasion(row) for row in rows]


def _occasion(row: tuple[Any, ...]) -> Row:
    number, kind, plugin, handler, subject, became, account, chat, sender, about, event, at, *ended = row
    state, reason, attempts = ended
    return {
        "id": occasion_id(number),
        "kind": kind,
        "plugin": plugin,
        "handler": handler,
        "account": account,
        "chat": chat,
        "sender": sender,
        "message_id": None if about is None else message_id(about),
        "delivery_id": delivery_id(subject) if kind == "delivery" else None,
        "became": became,
        "event": event,
        "at": rfc3339(at),
        "state": state,
        "reason": reason,
        "attempts": attempts,
    }


def requests(connection: apsw.Connection, deliveries: Sequence[int]) -> dict[str, list[Row]]:
    """Every request for these deliveries, by delivery: how it ended, and whether it came back."""
    found: dict[str, list[Row]] = {}
    for delivery, number, started, ended, outcome, error, echo, failure in ask.every(
        connection, _REQUESTS, (json.dumps(list(deliveries)),)
    ):
        row: Row = {
            "number": number,
            "started_at": rfc3339(started),
            "ended_at": None if ended is None else rfc3339(ended),
            "outcome": outcome,
            "error": error,
            "echo": None if echo is None else message_id(echo),
            "failure_event": failure is not None,
        }
        found.setdefault(delivery_id(delivery), []).append(row)
    return found


def circumstances(connection: apsw.Connection, number: int) -> Row:
    """What a message has to do with others: its copies, what it is an echo of, who is before it in line."""
    echo = ask.value(connection, _ECHO_OF, (number,))
    return {
        "copies": [message_id(row[0]) for row in ask.every(connection, _COPIES, (number,))],
        "echo_of": None if echo is None else delivery_id(echo),
        "ahead": ask.value(connection, _AHEAD, (number,)) or 0,
    }


def cause(connection: apsw.Connection, delivery: int) -> tuple[int | None, int | None]:
    """The message or the occasion that a delivery comes of; neither where there is no such delivery."""
    row = ask.first(connection, "SELECT message, occasion FROM deliveries WHERE id = ?", (delivery,))
    return (None, None) if row is None else (row[0], row[1])


def gone(connection: apsw.Connection, word: str) -> bool:
    """Whether there was such a message: by our number, or by the platform's svrid."""
    if word.isdecimal() and len(word) < 19 and int(word) <= (ask.value(connection, _LAST) or 0):
        return int(word) > 0
    return bool(ask.every(connection, _SEEN, (word,)))


def acting(connection: apsw.Connection, chat: str) -> str | None:
    """The account that acts in a room; in a private chat the one that heard it last."""
    found = ask.value(connection, _ACTING, (chat,)) or ask.value(connection, _LAST_EAR, (chat,))
    return None if found is None else str(found)
