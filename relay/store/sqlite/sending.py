"""The sender's side: what is due, the intent before the first byte, and how each attempt ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import apsw

from relay.errors import StorageError
from relay.store.sqlite import ask, gaps
from relay.store.sqlite.ingest import count
from relay.store.states import AttemptOutcome, DeliveryKind, DeliveryState, Evidence
from relay.store.values import Delivery, Intent, Pause, Result, Settled

_COLUMNS = (
    "id, message, kind, account, target, state, attempts, spent, solo, position, expires_at, retry_at, entry"
)
_OF_LINE = ", ".join(f"l.{column}" for column in _COLUMNS.split(", "))
_OPEN = "state IN ('queued', 'sending', 'unknown')"
_LOST = """EXISTS (
  SELECT 1 FROM deliveries d
  WHERE d.id = deliveries.after AND d.state IN ('failed', 'expired', 'discarded'))"""

_SETTLED = " RETURNING id, account, target, state, error"

HEARING_PATIENCE = 15_000  # ms in which the account that is to forward a message must have heard it too

# The planner, left to itself, takes a list of states for an index to sort by:
# `INDEXED BY` names the one that keeps the cost from growing with the backlog.

# One step of a loose index scan after the other finds every pair of account and target that has anything
# open, so that the cost follows the pairs and not the backlog; each brings the first of its line.
_LINES = f"""
WITH RECURSIVE pairs (account, target) AS (
  SELECT * FROM (
    SELECT account, target FROM deliveries INDEXED BY deliveries_open
    WHERE {_OPEN} ORDER BY account, target LIMIT 1)
  UNION ALL
  SELECT d.account, d.target FROM pairs CROSS JOIN deliveries d ON d.id = coalesce((
    SELECT id FROM deliveries INDEXED BY deliveries_open
    WHERE {_OPEN} AND account = pairs.account AND target > pairs.target ORDER BY target LIMIT 1), (
    SELECT id FROM deliveries INDEXED BY deliveries_open
    WHERE {_OPEN} AND account > pairs.account ORDER BY account, target LIMIT 1))
)
SELECT {_OF_LINE} FROM pairs CROSS JOIN deliveries l ON l.id IN (
  SELECT id FROM deliveries INDEXED BY deliveries_open
  WHERE {_OPEN} AND account = pairs.account AND target = pairs.target AND due_at <= ?1
    AND (after IS NULL OR EXISTS (
      SELECT 1 FROM deliveries d WHERE d.id = deliveries.after AND d.state IN ('accepted', 'delivered')))
  ORDER BY position LIMIT ?2)
ORDER BY l.account, l.target, l.position
"""
# A plus keeps the planner from all that is queued: what is asked for is found by its id.
_INTENT = f"""
UPDATE deliveries
SET state = 'sending', attempts = attempts + 1, spent = spent + 1, retry_at = 0, updated_at = ?2
FROM json_each(?1) asked
WHERE deliveries.id = asked.value ->> 0 AND +state = 'queued' AND attempts = asked.value ->> 1
  AND position = asked.value ->> 2 AND +expires_at > ?2
RETURNING {_COLUMNS}
"""
_PAYLOADS = """
SELECT deliveries.id, coalesce(deliveries.body, messages.raw)
FROM deliveries LEFT JOIN messages ON messages.id = deliveries.entry
WHERE deliveries.id IN (SELECT value FROM json_each(?))
"""
_ENDED = """
UPDATE attempts SET ended_at = ?, outcome = ?, error = ?, api_send_svrid = coalesce(?, api_send_svrid)
WHERE delivery = ? AND number = ? AND ended_at IS NULL
"""
_MOVED = """
UPDATE deliveries
SET state = ?1, error = ?2, evidence = ?3, settle_at = ?4, retry_at = ?5, updated_at = ?6,
    solo = max(solo, ?7), doubtful = ?8, spent = spent - ?9
WHERE id = ?10 AND attempts = ?11 AND state = 'sending'
"""
_SHIFTS = (
    """
    UPDATE deliveries INDEXED BY deliveries_settle
    SET settle_at = settle_at + ?1, updated_at = updated_at + ?1
    WHERE settle_at IS NOT NULL AND updated_at NOT BETWEEN ?2 AND ?3
    """,
    """
    UPDATE deliveries INDEXED BY deliveries_expiry SET retry_at = retry_at + ?1
    WHERE state = 'queued' AND retry_at <> 0 AND updated_at NOT BETWEEN ?2 AND ?3
    """,
    # An operator's retry gives it another time, and is the one that leaves these two equal.
    """
    UPDATE deliveries INDEXED BY deliveries_open
    SET due_at = due_at + ?1, expires_at = expires_at + ?1, created_at = created_at + ?1
    WHERE state IN ('queued', 'sending', 'unknown') AND created_at NOT BETWEEN ?2 AND ?3
      AND NOT (due_at = updated_at AND updated_at BETWEEN ?2 AND ?3)
    """,
    """
    UPDATE deliveries INDEXED BY deliveries_expiry SET updated_at = updated_at + ?1
    WHERE state = 'queued' AND updated_at NOT BETWEEN ?2 AND ?3
    """,
)


def begin(connection: apsw.Connection, resolve_within: int, now: int) -> int:
    """Become the one sender: every earlier one's next intent is refused. Returns the epoch.

    What an earlier sender had on its way is unknown now, whatever it was.
    """
    connection.execute(
        """
        UPDATE attempts SET ended_at = ?, outcome = 'unknown', error = 'the sender stopped before the answer'
        WHERE ended_at IS NULL AND delivery IN (SELECT id FROM deliveries WHERE state = 'sending')
        """,
        (now,),
    )
    _count_attempts(connection, {AttemptOutcome.UNKNOWN: connection.changes()})
    connection.execute(
        """
        UPDATE deliveries SET state = 'unknown', settle_at = ?, updated_at = ?,
               error = 'the sender stopped before the answer' WHERE state = 'sending'
        """,
        (now + resolve_within, now),
    )
    epoch = _epoch(connection) + 1
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('sender_epoch', ?)", (str(epoch),))
    return epoch


def due(connection: apsw.Connection, depth: int, now: int) -> list[list[Delivery]]:
    """For each pair of account and target, what may go out next: up to `depth` deliveries, in line.

    A pair whose first in line is on its way, unknown or waits for its next attempt has nothing due.
    """
    rows = ask.every(connection, _LINES, (now, depth))
    lines = (_ready(line, now) for _, line in groupby(rows, key=itemgetter(3, 4)))
    return [line for line in lines if line]


def _ready(line: Iterable[Sequence[Any]], now: int) -> list[Delivery]:
    ready: list[Delivery] = []
    for row in line:
        delivery, (retry_at, entry) = _delivery(row), row[-2:]
        heard = delivery.kind is DeliveryKind.SEND or entry is not None
        if delivery.state is not DeliveryState.QUEUED or retry_at > now or not heard:
            break
        ready.append(delivery)
    return ready


def _delivery(row: Sequence[Any]) -> Delivery:
    number, message, kind, account, target, state, attempts, spent, solo, position, expires_at, *_ = row
    return Delivery(
        id=number,
        message=message,
        kind=DeliveryKind(kind),
        account=account,
        target=target,
        state=DeliveryState(state),
        attempts=attempts,
        spent=spent,
        solo=bool(solo),
        position=position,
        expires_at=expires_at,
    )


def record_intent(
    connection: apsw.Connection, deliveries: Sequence[Delivery], epoch: int, now: int
) -> list[Intent]:
    """Put the next attempt of each delivery on record; those that moved on meanwhile are left out.

    Raises `StorageError` when another sender has taken over.
    """
    if _epoch(connection) != epoch:
        raise StorageError("another sender has taken over this database")
    asked = json.dumps([(each.id, each.attempts, each.position) for each in deliveries])
    begun = {row[0]: _delivery(row) for row in ask.every(connection, _INTENT, (asked, now))}
    connection.executemany(
        "INSERT INTO attempts (delivery, number, account, started_at) VALUES (?, ?, ?, ?)",
        [(each.id, each.attempts, each.account, now) for each in begun.values()],
    )
    payloads = dict(ask.every(connection, _PAYLOADS, (json.dumps(list(begun)),)))
    in_line = (begun[each.id] for each in deliveries if each.id in begun)
    return [Intent(each, each.attempts, payloads[each.id]) for each in in_line]


def record_results(connection: apsw.Connection, ended: Sequence[tuple[Sequence[Result], int]]) -> list[None]:
    """Write how attempts ended, each with the time when it did.

    A delivery that an echo or a failure event moved meanwhile stays there.
    """
    results = [(result, now) for several, now in ended for result in several]
    classes: Counter[str] = Counter()
    for result, now in results:
        told = (result.outcome, result.error, result.api_send_svrid)
        connection.execute(_ENDED, (now, *told, result.delivery, result.number))
        classes[result.outcome] += connection.changes()
    _count_attempts(connection, classes)
    connection.executemany(_MOVED, [_moved(result, now) for result, now in results])
    return [None] * len(ended)


def _count_attempts(connection: apsw.Connection, classes: Mapping[str, int]) -> None:
    """Count how attempts ended, by class."""
    for outcome, times in classes.items():
        if times:
            count(connection, f"attempts_total:{outcome}", times)


def _moved(result: Result, now: int) -> tuple[object, ...]:
    answered = result.outcome in (AttemptOutcome.TAKEN, AttemptOutcome.REFUSED)
    settled = result.state in (DeliveryState.ACCEPTED, DeliveryState.FAILED)
    evidence = Evidence.ANSWER if answered and settled else None
    return (
        *(result.state, result.error, evidence, result.settle_at, result.retry_at, now),
        *(result.solo, result.doubtful, 0 if result.spend else 1, result.delivery, result.number),
    )


def anything_due(connection: apsw.Connection, now: int) -> bool:
    """Whether time alone decides something by now."""
    return bool(
        ask.every(
            connection,
            f"""
            SELECT 1 FROM deliveries INDEXED BY deliveries_settle
            WHERE settle_at <= :heard AND state = 'accepted'
            UNION ALL
            SELECT 1 FROM deliveries INDEXED BY deliveries_expiry
            WHERE state = 'queued' AND expires_at <= :now
            UNION ALL
            SELECT 1 FROM deliveries INDEXED BY deliveries_after
            WHERE after IS NOT NULL AND state = 'queued' AND {_LOST}
            UNION ALL
            SELECT 1 FROM deliveries INDEXED BY deliveries_unheard
            WHERE kind = 'forward' AND entry IS NULL AND state = 'queued' AND updated_at <= :unheard
            LIMIT 1
            """,
            _times(connection, now),
        )
    )


def settle_due(connection: apsw.Connection, now: int) -> list[Settled]:
    """Take the steps that time alone decides; those to held, failed and expired come back."""
    connection.execute(
        """
        UPDATE deliveries INDEXED BY deliveries_settle
        SET state = 'delivered', evidence = CASE evidence WHEN 'answer' THEN 'silence' ELSE evidence END,
            error = NULL, settle_at = NULL, updated_at = :now
        WHERE state = 'accepted' AND settle_at <= :heard
        """,
        _times(connection, now),
    )
    steps = (
        """
        UPDATE deliveries INDEXED BY deliveries_expiry SET state = 'expired', updated_at = :now,
               error = coalesce(error || '; ', '') || 'expire_after passed'
        WHERE state = 'queued' AND expires_at <= :now
        """,
        f"""
        UPDATE deliveries INDEXED BY deliveries_after SET state = 'failed', updated_at = :now,
               error = 'what was to go before it did not go out'
        WHERE after IS NOT NULL AND state = 'queued' AND {_LOST}
        """,
        """
        UPDATE deliveries INDEXED BY deliveries_unheard SET state = 'failed', updated_at = :now,
               error = 'account ' || account || ' did not hear the message, so it cannot forward it'
        WHERE kind = 'forward' AND entry IS NULL AND state = 'queued' AND updated_at <= :unheard
        """,
    )
    ended = (row for step in steps for row in ask.every(connection, step + _SETTLED, _times(connection, now)))
    return [Settled(row[0], row[1], row[2], DeliveryState(row[3]), row[4]) for row in ended]


def _times(connection: apsw.Connection, now: int) -> dict[str, int]:
    """`heard`: while nobody listens, silence tells only of the time before."""
    deaf_since = gaps.deaf_since(connection, now)
    heard = now if deaf_since is None else deaf_since
    return {"now": now, "heard": heard, "unheard": now - HEARING_PATIENCE}


def shift(connection: apsw.Connection, by: int, since: int, now: int) -> None:
    """Move what was to happen at a time with the clock; what was written since it was set stays."""
    for step in _SHIFTS:
        connection.execute(step, (by, since, now))


def recent_starts(connection: apsw.Connection, since: int) -> list[tuple[str, int]]:
    """Account and time of every attempt begun since then, oldest first: what the pace has used up."""
    return ask.every(
        connection,
        "SELECT account, started_at FROM attempts WHERE started_at >= ? ORDER BY started_at",
        (since,),
    )


def pauses(connection: apsw.Connection) -> list[Pause]:
    """What holds accounts up, past ones included: their step says how long the next one is."""
    return [Pause(*row) for row in ask.every(connection, "SELECT account, until, step, reason FROM pauses")]


def set_pause(connection: apsw.Connection, pause: Pause) -> None:
    """Hold an account up, across restarts; step 0 lets it go."""
    if pause.step:
        count(connection, "pauses_total")
        connection.execute(
            "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?)",
            (pause.account, pause.until, pause.step, pause.reason),
        )
    else:
        connection.execute("DELETE FROM pauses WHERE account = ?", (pause.account,))


def _epoch(connection: apsw.Connection) -> int:
    return int(ask.value(connection, "SELECT value FROM meta WHERE key = 'sender_epoch'") or 0)
