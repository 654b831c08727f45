"""What people and other programs ask: the shapes of contract section 2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import apsw

from relay.store.protocol import TAKEN_IN
from relay.store.sqlite import ask, gaps
from relay.store.states import DeliveryState
from relay.wire.content import content_of, text_of

Row = dict[str, object]

_MESSAGES = """
SELECT id, svrid, account, chat, chat_type, sender, type, raw, own, api_send_id || api_send_svrid,
       time, received_at, state, reason, late
FROM messages
"""
_DELIVERIES = """
SELECT id, message, kind, account, target, state, evidence, attempts, error,
       created_at, updated_at, plugin, rule, occasion
FROM deliveries
"""
# Those that ended are counted as they come and go: there may be millions.
_IN_EACH_STATE = """
SELECT state, count(*) FROM deliveries
WHERE state IN ('queued', 'sending', 'accepted', 'unknown', 'held') GROUP BY state
UNION ALL SELECT state, deliveries FROM tally
"""

_COUNTERS = "SELECT name, value FROM counters WHERE name NOT BETWEEN 'would:' AND 'would;' ORDER BY name"


def message_id(number: int) -> str:
    """A message's id as people see it."""
    return f"m{number}"


def delivery_id(number: int) -> str:
    """A delivery's id as people see it."""
    return f"d{number}"


def occasion_id(number: int) -> str:
    """The id, as people see it, of what was handled and is no message."""
    return f"o{number}"


def conversation_id(number: int) -> str:
    """A conversation's id as people see it."""
    return f"c{number}"


def rfc3339(milliseconds: int) -> str:
    """RFC 3339, in UTC, to the millisecond; "" for a time beyond the calendar."""
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def messages(connection: apsw.Connection, chats: Sequence[str], since: int, limit: int) -> list[Row]:
    """Received messages, newest first."""
    where, bound = _where({"chat": chats})
    asked = f"{where} AND received_at >= ? ORDER BY id DESC LIMIT ?"
    return message_rows(connection, asked, (*bound, since, limit))


def message_rows(connection: apsw.Connection, asked: str, bindings: Sequence[object]) -> list[Row]:
    """The messages for which this condition holds, in the contract's shape."""
    rows = ask.every(connection, f"{_MESSAGES} WHERE {asked}", bindings)
    ours = {row[0] for row in ask.every(connection, "SELECT wxid FROM accounts")}
    return [_message(row, ours) for row in rows]


def _message(row: Sequence[Any], ours: set[str]) -> Row:
    (
        number,
        svrid,
        account,
        chat,
        chat_type,
        sender,
        kind,
        raw,
        own,
        api_send,
        time,
        received_at,
        state,
        reason,
        late,
    ) = row
    return {
        "id": message_id(number),
        "svrid": svrid,
        "account": account,
        "chat": chat,
        "chat_type": chat_type,
        "sender": sender,
        "type": kind,
        "text": text_of(kind, content_of(raw)),
        "own": bool(own) if own is not None else sender in ours or bool(api_send),
        "time": rfc3339(time),
        "received_at": rfc3339(received_at),
        "state": state,
        "reason": reason,
        "late": bool(late),
    }


def deliveries(
    connection: apsw.Connection,
    states: Sequence[str],
    chats: Sequence[str],
    limit: int,
    **cause: int | None,
) -> list[Row]:
    """Deliveries, newest first; `chats` are targets, and `cause` a `message` or an `occasion`."""
    causes = {name: () if number is None else (number,) for name, number in cause.items()}
    where, bound = _where({"state": states, "target": chats, **causes})
    rows = ask.every(connection, f"{_DELIVERIES} WHERE {where} ORDER BY id DESC LIMIT ?", (*bound, limit))
    return [_delivery(row) for row in rows]


def _delivery(row: Sequence[Any]) -> Row:
    (
        number,
        message,
        kind,
        account,
        target,
        state,
        evidence,
        attempts,
        error,
        created,
        updated,
        plugin,
        rule,
        occasion,
    ) = row
    return {
        "id": delivery_id(number),
        "message_id": None if message is None else message_id(message),
        "kind": kind,
        "account": account,
        "target": target,
        "state": state,
        "evidence": evidence,
        "attempts": attempts,
        "error": error,
        "created_at": rfc3339(created),
        "updated_at": rfc3339(updated),
        "plugin": plugin,
        "rule": rule,
        "occasion_id": None if occasion is None else occasion_id(occasion),
    }


def _where(conditions: dict[str, Sequence[object]]) -> tuple[str, list[object]]:
    """`column IN (…)` for each column that is asked for; an empty sequence asks for nothing."""
    asked = {column: values for column, values in conditions.items() if values}
    terms = [f"{column} IN ({', '.join('?' * len(values))})" for column, values in asked.items()]
    return " AND ".join(terms) or "1", [value for values in asked.values() for value in values]


def counts(connection: apsw.Connection) -> Row:
    """How much waits in the inbox, and how many deliveries stand in each state."""
    found = dict(ask.every(connection, _IN_EACH_STATE))
    return {
        "inbox": {"waiting": ask.value(connection, "SELECT count(*) FROM messages WHERE state = 'waiting'")},
        "deliveries": {str(state): found.get(str(state), 0) for state in DeliveryState},
    }


def counters(connection: apsw.Connection) -> dict[str, int]:
    """Every counter that outlives a process; those of single hours are for whoever asks for these."""
    return dict(ask.every(connection, _COUNTERS))


def processes(connection: apsw.Connection, stale_before: int) -> list[Row]:
    """The roles that reported themselves, and whether each still does."""
    rows = ask.every(connection, "SELECT role, pid, since, beat, note FROM processes ORDER BY role, since")
    return [
        {"role": role, "pid": pid, "alive": beat >= stale_before, "since": rfc3339(since), **_note(note)}
        for role, pid, since, beat, note in rows
    ]


def _note(note: str) -> dict[str, object]:
    read = json.loads(note)
    return {str(key): each for key, each in read.items() if key != TAKEN_IN} if isinstance(read, dict) else {}


def beat(connection: apsw.Connection, role: str, pid: int, note: Row, now: int) -> None:
    """Report a role alive, and forget those that have long been silent."""
    connection.execute(
        """
        INSERT INTO processes VALUES (?1, ?2, ?3, ?3, ?4)
        ON CONFLICT (role, pid) DO UPDATE SET beat = excluded.beat, note = excluded.note
        """,
        (role, pid, now, json.dumps(note)),
    )
    connection.execute("DELETE FROM processes WHERE beat < ?", (now - 60_000,))


def leave(connection: apsw.Connection, role: str, pid: int, now: int) -> None:
    """Take a role that ends in order off the list."""
    connection.execute("DELETE FROM processes WHERE role = ? AND pid = ?", (role, pid))
    if role == "receiver":
        gaps.leave(connection, pid, now)


def accounts(connection: apsw.Connection) -> list[str]:
    """Our own accounts, as far as known."""
    return [row[0] for row in ask.every(connection, "SELECT wxid FROM accounts ORDER BY wxid")]
