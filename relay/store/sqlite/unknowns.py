"""Requests that were never answered: what is known about them, and what is concluded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from relay.clock import CLOCKS_DIFFER
from relay.store.sqlite import ask
from relay.store.sqlite.ask import PLATFORM_AHEAD
from relay.store.sqlite.gaps import listened_since
from relay.store.sqlite.guard import ECHO_POSSIBLE
from relay.store.sqlite.ingest import count, dedupe_key, ingest_all
from relay.store.states import DeliveryKind, DeliveryState
from relay.store.values import Callback, Conclusion, Settled, Unknown
from relay.wire.content import content_of, same_content
from relay.wire.entries import Entry
from relay.wire.requests import delayed_until

EARS = 20_000  # messages, from the newest, among which an account's last one is looked for

# The log is asked for what came after the last message that was kept before the attempt began.
_UNRESOLVED = """
SELECT d.id, a.number, d.kind, d.account, d.target, coalesce(d.body, m.raw), d.doubtful, d.spent,
  a.started_at, coalesce(a.ended_at, a.started_at), (
    SELECT svrid FROM messages p INDEXED BY messages_chat
    WHERE p.chat = d.target AND p.account = d.account AND p.svrid <> '' AND p.received_at < a.started_at
    ORDER BY p.id DESC LIMIT 1)
FROM deliveries d INDEXED BY deliveries_settle
JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts LEFT JOIN messages m ON m.id = d.entry
WHERE d.settle_at <= ? AND d.state = 'unknown' ORDER BY a.started_at LIMIT ?
"""
_KNOWN = "SELECT 1 FROM seen WHERE account = ? AND key = ?"
_LAST = "SELECT coalesce(max(id), 0) FROM messages"
_LATE = "UPDATE messages SET late = 1 WHERE id > ?"
_HEARD = """
SELECT EXISTS (
  SELECT 1 FROM (SELECT account, late, received_at FROM messages ORDER BY id DESC LIMIT ?)
  WHERE account = ? AND late = 0 AND received_at > ?)
"""
_UNATTRIBUTED = f"""
SELECT raw FROM messages INDEXED BY messages_chat
WHERE chat = :chat AND account = :account AND sender = :account AND received_at >= :since
  AND (late = 0 OR time - {PLATFORM_AHEAD} >= :since - :differ) AND api_send_id = '' AND NOT EXISTS (
    SELECT 1 FROM attempts a INDEXED BY attempts_pace
    WHERE a.started_at >= :since - :possible AND a.account = :account AND a.echo = messages.id)
"""
# What has come back and nobody has judged yet may be it: the log itself may just have brought it.
_CONCLUDED = """
UPDATE deliveries SET state = ?1, error = coalesce(error, 'no answer') || '; ' || ?2, settle_at = NULL,
       doubtful = 0, retry_at = 0, updated_at = ?3
WHERE id = ?4 AND attempts = ?5 AND state = 'unknown' AND NOT EXISTS (
  SELECT 1 FROM messages m INDEXED BY messages_signal
  WHERE m.signal = 1 AND m.account = deliveries.account AND m.chat = deliveries.target AND iif(
    kind = 'send', m.api_send_id LIKE (SELECT value FROM meta WHERE key = 'origin') || '-' || ?4 || '.%',
    m.api_send_id = '' AND m.api_send_svrid = ''))
RETURNING id, account, target, state, error
"""


def unresolved(connection: apsw.Connection, now: int, limit: int) -> list[Unknown]:
    """Deliveries whose echo was waited for long enough, those first that were begun first."""
    return [_unknown(row) for row in ask.every(connection, _UNRESOLVED, (now, limit))]


def _unknown(row: Sequence[Any]) -> Unknown:
    number, attempt, kind, account, target, payload, doubtful, spent, started_at, ended_at, after = row
    kind = DeliveryKind(kind)
    return Unknown(
        delivery=number,
        number=attempt,
        kind=kind,
        account=account,
        target=target,
        payload=payload or b"",
        doubtful=bool(doubtful),
        spent=spent,
        started_at=started_at,
        takes_effect=max(ended_at, delayed_until(payload) if kind is DeliveryKind.SEND else 0),
        after=after or "",
    )


def recover(connection: apsw.Connection, entries: Sequence[Entry], now: int) -> int:
    """Keep what the log told and no callback did, marked late; how many that were."""
    new = [each for each in entries if not ask.every(connection, _KNOWN, (each.account, dedupe_key(each)))]
    if not new:
        return 0
    last = ask.value(connection, _LAST)
    (kept,) = ingest_all(connection, [Callback(new, (), now)])
    connection.execute(_LATE, (last,))
    count(connection, "messages_recovered_total", kept)
    return kept


def heard(connection: apsw.Connection, account: str, since: int, after: int, now: int) -> bool:
    """Whether somebody listened all the time since then, and a callback of this account came after."""
    listened = listened_since(connection, since, now)
    return listened and bool(ask.value(connection, _HEARD, (EARS, account, after)))


def may_be_there(connection: apsw.Connection, unknown: Unknown) -> bool:
    """Whether the account said the very same in that chat, and it cannot be told whether it is this."""
    asked = {
        "chat": unknown.target,
        "account": unknown.account,
        "since": unknown.started_at,
        "differ": CLOCKS_DIFFER,
        "possible": ECHO_POSSIBLE,
    }
    said = content_of(unknown.payload)
    found = ask.every(connection, _UNATTRIBUTED, asked)
    return any(same_content(said, content_of(raw)) for (raw,) in found)


def conclude(connection: apsw.Connection, concluded: Sequence[Conclusion], now: int) -> list[Settled]:
    """Take the step that follows, each only where nothing moved the delivery, or came back, meanwhile."""
    rows = [
        row
        for each in concluded
        for row in ask.every(
            connection, _CONCLUDED, (each.state, each.words, now, each.delivery, each.number)
        )
    ]
    return [Settled(row[0], row[1], row[2], DeliveryState(row[3]), row[4]) for row in rows]
