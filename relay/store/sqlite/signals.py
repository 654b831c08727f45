"""What came back: own messages and failure events, the deliveries they may be about, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.ask import PLATFORM_AHEAD
from relay.store.sqlite.figures import time_echo
from relay.store.sqlite.ingest import count
from relay.store.states import DeliveryState, Evidence
from relay.store.values import Doubled, Signal, Tracked, Verdict

DUPLICATE = "duplicate_effect_total"
# What the log told is judged by when it was said: when it was fetched means nothing.
_MESSAGES = f"""
SELECT id, 0, account, chat, type, api_send_id, api_send_svrid, svrid, raw,
  CASE late WHEN 1 THEN time + 4000 - {PLATFORM_AHEAD} ELSE received_at END, late
FROM messages WHERE signal = 1 AND id > ? ORDER BY id LIMIT ?
"""
_EVENTS = """
SELECT id, 1, account, '', kind, api_send_id, api_send_svrid, '', raw, received_at, 0
FROM events WHERE signal = 1 AND id > ? ORDER BY id LIMIT ?
"""
_TRACKED = """
SELECT d.id, d.state, d.attempts, d.evidence, d.spoken, a.echo, a.number, a.failure IS NOT NULL, (
  SELECT min(o.echo) FROM attempts o WHERE o.delivery = d.id AND o.number <> a.number AND o.failure IS NULL)
"""
_BY_ID = f"""
{_TRACKED} FROM deliveries d JOIN attempts a ON a.delivery = d.id
WHERE d.id = ?1 AND a.number = ?2 AND ?3 IN (d.account, '')
"""
_BY_SVRID = f"""
{_TRACKED} FROM attempts a JOIN deliveries d ON d.id = a.delivery
WHERE a.api_send_svrid = ?1 AND ?2 IN (d.account, '')
"""
_FORWARDS = f"""
{_TRACKED}, m.raw
FROM attempts a JOIN deliveries d ON d.id = a.delivery
  AND (d.attempts = a.number OR (a.outcome = 'unknown' AND a.failure IS NULL))
JOIN messages m ON m.id = d.entry
WHERE a.echo IS NULL AND a.account = ? AND a.started_at BETWEEN ? AND ?
  AND (a.outcome IS NULL OR a.outcome IN ('taken', 'unknown'))
  AND d.target = ? AND d.kind = 'forward' AND m.type = ?
"""
_ECHOED = """
UPDATE attempts SET echo = ?, api_send_svrid = coalesce(api_send_svrid, nullif(?, ''))
WHERE delivery = ? AND number = ? AND echo IS NULL RETURNING started_at
"""
# An accepted delivery keeps the time when silence confirms it.
_MOVE = """
UPDATE deliveries SET state = ?1, evidence = coalesce(?2, evidence), error = ?3, updated_at = ?4,
       spoken = max(spoken, ?5),
       settle_at = CASE WHEN NOT ?6 THEN NULL WHEN state = 'accepted' THEN settle_at ELSE ?7 END
WHERE id = ?8 AND state = ?9 AND attempts = ?10
"""
_FIRST_ECHO = "SELECT echo FROM attempts WHERE delivery = ? AND number = ?"
_UNJUDGED = "SELECT 1 FROM {table} WHERE id = ? AND signal = 1"
_SPOKEN_OF = "UPDATE attempts SET failure = ? WHERE delivery = ? AND number = ? AND failure IS NULL"

MEASURED = 5_000  # attempts, from the newest, whose echoes are timed
LEAST_ECHOES = 20  # that tell anything
MEASURED_FOR = 86_400_000  # ms
_ECHO_TIMES = """
SELECT max(m.received_at - a.started_at, 0) FROM (
  SELECT started_at, echo FROM attempts INDEXED BY attempts_pace
  WHERE started_at >= ? ORDER BY started_at DESC LIMIT ?) a
JOIN messages m ON m.id = a.echo WHERE m.late = 0 ORDER BY 1
"""


def echo_p99(connection: apsw.Connection, now: int) -> int | None:
    """The milliseconds within which 99 of 100 echoes came lately; None where there were too few."""
    times = [row[0] for row in ask.every(connection, _ECHO_TIMES, (now - MEASURED_FOR, MEASURED))]
    return times[len(times) * 99 // 100] if len(times) >= LEAST_ECHOES else None


def signals(connection: apsw.Connection, after: tuple[int, int], limit: int) -> list[Signal]:
    """Own messages and failure events nobody has looked at, beyond those two ids, oldest first."""
    rows = ask.every(connection, _MESSAGES, (after[0], limit))
    rows += ask.every(connection, _EVENTS, (after[1], limit))
    return [Signal(row[0], bool(row[1]), *(*row[2:10], bool(row[10]))) for row in rows]


def by_api_send_id(connection: apsw.Connection, delivery: int, number: int, account: str) -> Tracked | None:
    """The delivery and attempt that an api_send_id names; account "" where the signal tells none."""
    row = ask.first(connection, _BY_ID, (delivery, number, account))
    return None if row is None else _tracked(row)


def by_api_send_svrid(connection: apsw.Connection, api_send_svrid: str, account: str) -> Tracked | None:
    """The delivery and attempt whose answer named that api_send_svrid."""
    rows = ask.every(connection, _BY_SVRID, (api_send_svrid, account))
    return _tracked(rows[0]) if len(rows) == 1 else None


def forwards_without_echo(connection: apsw.Connection, signal: Signal, window: int) -> list[Tracked]:
    """Forwards of that account to that chat that may still come back; `window` in milliseconds."""
    since, until = signal.received_at - window, signal.received_at + 1000  # two clocks may differ a little
    rows = ask.every(connection, _FORWARDS, (signal.account, since, until, signal.chat, signal.type))
    return [_tracked(row) for row in rows]


def _tracked(row: Sequence[Any]) -> Tracked:
    number, state, attempts, evidence, spoken, echo, attempt, failed, other, *entry = row
    found = None if evidence is None else Evidence(evidence)
    told = (echo, attempt, bool(failed), other)
    return Tracked(number, DeliveryState(state), attempts, found, bool(spoken), *told, *entry)


def settle(
    connection: apsw.Connection, verdicts: Sequence[Verdict], confirm_after: int, now: int
) -> list[Doubled]:
    """Apply what signals say, each only if its delivery still stands where it was judged.

    What took effect twice comes back.
    """
    counters: Counter[str] = Counter()
    twice: list[Doubled] = []
    seen: dict[str, list[tuple[int]]] = {"events": [], "messages": []}
    for verdict in verdicts:
        table = "events" if verdict.signal.failure else "messages"
        if not ask.every(connection, _UNJUDGED.format(table=table), (verdict.signal.id,)):
            continue  # another sender has settled it: what it counted, it counted once
        if verdict.state is not None and not _move(connection, verdict, now + confirm_after, now):
            continue  # it moved meanwhile: the signal stays, and is judged anew
        doubled = _record(connection, verdict, counters)
        counters.update(name for name in {verdict.counter, doubled} if name is not None)
        if DUPLICATE in (verdict.counter, doubled):
            twice.append(_doubled(connection, verdict))
        seen[table].append((verdict.signal.id,))
    for table, ids in seen.items():
        connection.executemany(f"UPDATE {table} SET signal = 0 WHERE id = ?", ids)
    for name, times in counters.items():
        count(connection, name, times)
    return twice


def _doubled(connection: apsw.Connection, verdict: Verdict) -> Doubled:
    assert verdict.about is not None  # noqa: S101 - only a delivery can take effect twice
    about = verdict.about
    first = about.echo or about.other or ask.value(connection, _FIRST_ECHO, (about.id, about.number))
    return Doubled(about.id, first or 0, verdict.signal.id)


def _record(connection: apsw.Connection, verdict: Verdict, counters: Counter[str]) -> str | None:
    """Keep what was learnt about the attempt; the counter of a second echo that came in the same breath."""
    if verdict.about is None:
        return None
    signal, attempt = verdict.signal, (verdict.about.id, verdict.about.number)
    if signal.failure:
        connection.execute(_SPOKEN_OF, (signal.id, *attempt))
        return None
    started_at = ask.value(connection, _ECHOED, (signal.id, signal.api_send_svrid, *attempt))
    if started_at is None:
        return DUPLICATE
    if not signal.late:  # when it was fetched tells nothing
        time_echo(counters, max(0, signal.received_at - started_at))
    return None


def _move(connection: apsw.Connection, verdict: Verdict, settle_at: int, now: int) -> bool:
    """Take the step, or confirm the state."""
    assert verdict.about is not None  # noqa: S101 - a step is a delivery's
    accepted = verdict.state == DeliveryState.ACCEPTED
    connection.execute(
        _MOVE,
        (
            *(
                verdict.state,
                verdict.evidence,
                verdict.error,
                now,
                verdict.signal.failure,
                accepted,
                settle_at,
            ),
            *(verdict.about.id, verdict.about.state, verdict.about.attempts),
        ),
    )
    return bool(connection.changes())
