"""The router's side: take a message's turn, and store all that came of it at once."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.ingest import count
from relay.store.sqlite.remembering import write_state
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import Identified, NewDelivery, Routing, StoredMessage, Turn

_WAITING = """
SELECT id, account, chat, chat_type, source, received_at, attempts, own = 1
FROM messages WHERE state = 'waiting' AND own IS NOT NULL ORDER BY id
"""
_CLAIMED = """
UPDATE messages SET attempts = attempts + 1 WHERE id = ? AND state = 'waiting'
RETURNING id, account, svrid, chat, chat_type, sender, type, time, raw, received_at, attempts, own = 1
"""
_TURN = """
SELECT rooms.acting, EXISTS (
  SELECT 1 FROM messages copy
  WHERE copy.source = messages.source AND copy.account = rooms.acting AND copy.id <> messages.id
)
FROM messages JOIN rooms ON rooms.chat = messages.chat
WHERE messages.id = ? AND messages.state = 'waiting'
"""
_COPY = """
SELECT copy.id FROM messages JOIN messages copy ON copy.id = messages.id OR copy.source = messages.source
WHERE messages.id = ? AND copy.account = ? ORDER BY copy.id LIMIT 1
"""


def waiting(connection: apsw.Connection) -> list[Identified]:
    """What an earlier router let through and did not finish."""
    return [Identified(*row) for row in ask.every(connection, _WAITING)]


def claim(connection: apsw.Connection, ids: Sequence[int]) -> list[StoredMessage]:
    """Count one more attempt for each message, before anything is done that may end the process."""
    rows = (row for each in ids for row in ask.every(connection, _CLAIMED, (each,)))
    return [StoredMessage(*row) for row in rows]


def give_back(connection: apsw.Connection, ids: Sequence[int]) -> None:
    """Take an attempt back where it was no death that ended it."""
    connection.executemany(
        "UPDATE messages SET attempts = attempts - 1 WHERE id = ? AND state = 'waiting' AND attempts > 0",
        [(each,) for each in ids],
    )


def turn(connection: apsw.Connection, message: int) -> Turn | None:
    """Who is to act on a room message; None when it waits no more."""
    row = ask.first(connection, _TURN, (message,))
    return None if row is None else Turn(row[0], bool(row[1]))


def finish(connection: apsw.Connection, routing: Routing, expire_after: int, now: int) -> bool:
    """Store state, trace and deliveries of one message; false when it was finished before.

    A source that another copy acted on meanwhile makes this one a copy, whatever was decided: false then,
    and where it was finished before.
    """
    row = ask.first(
        connection,
        "SELECT state, source, received_at, chat, chat_type, account, own FROM messages WHERE id = ?",
        (routing.message,),
    )
    if row is None or row[0] != MessageState.WAITING:
        return False
    _, source, received_at, chat, chat_type, account, own = row
    acted = ask.value(connection, "SELECT acted FROM sources WHERE id = ?", (source,))
    if acted is not None and acted != routing.message:
        _set_state(connection, Routing(routing.message, MessageState.SKIPPED, f"copy of m{acted}"))
        return False
    connection.execute("UPDATE sources SET acted = ? WHERE id = ?", (routing.message, source))
    if chat_type == "room" and not own:
        connection.execute(
            "UPDATE rooms SET acting = ?, since = ? WHERE chat = ? AND acting <> ?",
            (account, now, chat, account),
        )
    _set_state(connection, routing)
    connection.execute(
        "UPDATE messages SET state = 'skipped', reason = ? WHERE source = ? AND state = 'waiting'",
        (f"copy of m{routing.message}", source),
    )
    _write_trace(connection, routing)
    write_state(connection, routing.changes, now)
    _queue_all(connection, routing, received_at + expire_after, now)
    return True


def _set_state(connection: apsw.Connection, routing: Routing) -> None:
    connection.execute(
        "UPDATE messages SET state = ?, reason = ? WHERE id = ?",
        (routing.state, routing.reason, routing.message),
    )
    count(connection, f"messages_{routing.state}_total")


def _write_trace(connection: apsw.Connection, routing: Routing) -> None:
    connection.executemany(
        "INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (routing.message, ordinal, line.plugin, line.rule, line.decision, line.reason, line.ms)
            for ordinal, line in enumerate(routing.trace)
        ],
    )


def _queue_all(connection: apsw.Connection, routing: Routing, expires_at: int, now: int) -> None:
    """Put deliveries into the outbox, in order; one that waits for another learns its number."""
    numbers: list[int | None] = []
    for new in routing.deliveries:
        after = None if new.after is None else numbers[new.after]
        numbers.append(_queue(connection, routing.message, new, after, expires_at, now))


def _queue(  # noqa: PLR0913, RUF100 - what a row is made of
    connection: apsw.Connection, message: int, new: NewDelivery, after: int | None, expires_at: int, now: int
) -> int | None:
    """The delivery's number, or None where it was queued before."""
    connection.execute(
        """
        INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, body, position,
                                due_at, expires_at, created_at, updated_at, after, entry)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
        """,
        (
            *(message, new.plugin, new.rule, new.ordinal, new.kind, new.account, new.target, new.body),
            *(next_position(connection), now + new.delay, expires_at + new.delay, now, now, after),
            _entry(connection, message, new),
        ),
    )
    return connection.last_insert_rowid() if connection.changes() else None


def _entry(connection: apsw.Connection, message: int, new: NewDelivery) -> int | None:
    """What a forward carries: the copy at its account, as far as that one has heard it."""
    if new.kind is not DeliveryKind.FORWARD:
        return None
    found = ask.value(connection, _COPY, (message, new.account))
    return None if found is None else int(found)


def next_position(connection: apsw.Connection) -> int:
    """The last place in line."""
    value = ask.value(connection, "UPDATE line SET next = next + 1 RETURNING next")
    assert isinstance(value, int)  # noqa: S101 - the line table has one row
    return value
