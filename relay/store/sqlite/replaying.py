"""The past as `relay replay` goes through it: messages in the order received, and what was decided then."""

from __future__ import annotations

import json
from collections.abc import Sequence

import apsw

from relay.store.occasions import Question
from relay.store.sqlite import ask, guard
from relay.store.states import DeliveryKind
from relay.store.values import NewDelivery, Span, StoredMessage, Wanted

NEAR = 64  # messages looked at together: one that was taken in late has an older time than those around it

_LATEST = "SELECT max(received_at) FROM (SELECT received_at FROM messages WHERE id >= ? ORDER BY id LIMIT ?)"
_ENDS = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM messages"
_COLUMNS = """
id, account, svrid, chat, chat_type, sender, type, time, raw, received_at, attempts, own = 1, late = 1,
state = 'skipped'
"""
_ROUTED = "state = 'routed'"
# Of what was skipped as own, what staff typed on the phone of the account that heard it.
_STAFF = """
(state = 'skipped' AND reason = 'own' AND sender = account AND api_send_id = '' AND api_send_svrid = '')
"""
_DECIDED = """
SELECT message, plugin, rule, ordinal, kind, account, target, body FROM deliveries
WHERE message IN (SELECT value FROM json_each(?)) ORDER BY id
"""
# What came of questions that were asked because of these messages, and that nobody answered in time.
_AFTERWARDS = """
SELECT o.message, d.plugin, d.rule, d.ordinal, d.kind, d.account, d.target, d.body
FROM live.occasions o JOIN live.deliveries d ON d.occasion = o.id
WHERE o.kind = 'timeout' AND o.message IN (SELECT value FROM json_each(?)) ORDER BY d.id
"""
# The next question whose time is over, but for one that this message answers, as it was heard in time; behind
# the last message, what the live bot still waits for is over for nobody.
_OVER = """
DELETE FROM main.conversations WHERE id = (
  SELECT id FROM main.conversations c WHERE until <= :moment
    AND NOT (chat = :chat AND sender = :sender AND until > :heard_at)
    AND (:said OR NOT EXISTS (
      SELECT 1 FROM live.conversations l WHERE l.plugin = c.plugin AND l.chat = c.chat
        AND l.sender = c.sender AND l.ear = c.ear AND l.message IS c.message))
  ORDER BY until, id LIMIT 1)
RETURNING id, plugin, ear, chat, sender, account, handler, on_timeout, message, since, until
"""
_MOMENTARY = "DELETE FROM plugin_state WHERE expires_at IS NOT NULL"
_LATER = "DELETE FROM conversations WHERE since >= ?"


def span(connection: apsw.Connection, wanted: Wanted) -> Span:
    """How many messages are wanted, and between which ids they are."""
    first, last = ask.first(connection, _ENDS) or (0, 0)
    first = _first_since(connection, wanted.since, first, last)
    where, bound = _where(wanted)
    count = ask.value(
        connection,
        f"SELECT count(*) FROM messages WHERE id BETWEEN ? AND ? AND {where}",
        (first, last, *bound),
    )
    return Span(int(count), first, last)


def _first_since(connection: apsw.Connection, since: int, low: int, high: int) -> int:
    """The id from which on messages are not older; there is no index, and ids come in the order of time."""
    while low < high:
        middle = (low + high) // 2
        if (ask.value(connection, _LATEST, (middle, NEAR)) or 0) < since:
            low = middle + 1
        else:
            high = middle
    return low


def stretch(
    connection: apsw.Connection, wanted: Wanted, span: Span, after: int, limit: int
) -> tuple[list[StoredMessage], int]:
    """The next messages, none of which may be an echo, and behind which id there are more; 0 at the end."""
    where, bound = _where(wanted)
    rows = ask.every(
        connection,
        f"SELECT {_COLUMNS} FROM messages WHERE id BETWEEN ? AND ? AND {where} ORDER BY id LIMIT ?",
        (max(after + 1, span.first), span.last, *bound, limit),
    )
    taken = [row for row in rows if not row[-1] or guard.staff_typed(connection, row[0])]
    return [StoredMessage(*row[:-1]) for row in taken], rows[-1][0] if rows else 0


def kept(connection: apsw.Connection, number: int) -> StoredMessage | None:
    """A message, whatever became of it."""
    row = ask.first(connection, f"SELECT {_COLUMNS} FROM messages WHERE id = ?", (number,))
    return None if row is None else StoredMessage(*row[:-1])


def _where(wanted: Wanted) -> tuple[str, list[object]]:
    terms, bound = [f"({_ROUTED} OR {_STAFF})" if wanted.own else _ROUTED, "received_at >= ?"], [wanted.since]
    if wanted.chats:
        terms.append("chat IN (SELECT value FROM json_each(?))")
        return " AND ".join(terms), [*bound, json.dumps(wanted.chats)]
    return " AND ".join(terms), [*bound]


def decided(connection: apsw.Connection, messages: Sequence[int]) -> dict[int, list[NewDelivery]]:
    """What was decided about each of these messages, as far as it is kept."""
    return _by_message(connection, _DECIDED, messages)


def decided_afterwards(connection: apsw.Connection, messages: Sequence[int]) -> dict[int, list[NewDelivery]]:
    """What was decided once the questions that were asked because of these had waited in vain."""
    return _by_message(connection, _AFTERWARDS, messages)


def _by_message(
    connection: apsw.Connection, sql: str, messages: Sequence[int]
) -> dict[int, list[NewDelivery]]:
    found: dict[int, list[NewDelivery]] = {}
    for number, plugin, rule, ordinal, kind, account, target, body in ask.every(
        connection, sql, (json.dumps(list(messages)),)
    ):
        delivery = NewDelivery(plugin, rule, ordinal, DeliveryKind(kind), account, target, body)
        found.setdefault(number, []).append(delivery)
    return found


def over(
    connection: apsw.Connection, moment: int, said: StoredMessage | None, heard_at: int
) -> Question | None:
    """End the next question whose time is over at this moment, unless what is said now answers it."""
    chat, sender = (said.chat, said.sender) if said is not None else ("", "")
    asked = {"moment": moment, "chat": chat, "sender": sender, "heard_at": heard_at, "said": said is not None}
    row = ask.first(connection, _OVER, asked)
    return None if row is None else Question(*row)


def forget(connection: apsw.Connection, moment: int) -> None:
    """Forget what is of a time after this; nobody knows when that began which ends by itself."""
    connection.execute(_MOMENTARY)
    connection.execute(_LATER, (moment,))
