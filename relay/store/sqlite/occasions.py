"""What is handled beside messages: how it is queued, claimed and finished, each once."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import apsw

from relay.store.occasions import (
    Handled,
    Happened,
    Hearing,
    Moved,
    Occasion,
    OccasionKind,
    Tick,
)
from relay.store.sqlite import ask, conversations, observing, routing
from relay.store.sqlite.ingest import count
from relay.store.sqlite.remembering import write_state

DEEPEST = 3  # changes of deliveries that follow from handling another one, before it is called a circle
LOOKED_THROUGH = 1_000  # events at once

_CURSOR = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_handled'"
_SET_CURSOR = "INSERT OR REPLACE INTO meta VALUES ('events_handled', ?)"
_NEW_EVENTS = "SELECT id, kind FROM events WHERE id > ? ORDER BY id LIMIT ?"
_EVENT = """
INSERT INTO occasions (kind, subject, account, at)
SELECT 'event', id, account, received_at FROM events WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM occasions WHERE kind = 'event' AND subject = ?1)
"""
_TICK = """
INSERT INTO occasions (kind, plugin, handler, at)
SELECT 'tick', ?1, ?2, ?3
WHERE NOT EXISTS (
  SELECT 1 FROM occasions WHERE kind = 'tick' AND plugin = ?1 AND handler = ?2 AND state = 'waiting')
"""
_TICKED = (
    "UPDATE ticks SET next_at = ?, set_at = ? WHERE plugin = ? AND handler = ? AND rhythm = ? AND next_at = ?"
)
_COLUMNS = (
    "id, kind, plugin, handler, subject, became, depth, account, chat, sender, message, detail, at, attempts"
)
_FRESH = f"""
SELECT {_COLUMNS} FROM occasions INDEXED BY occasions_waiting
WHERE state = 'waiting' AND id > ? ORDER BY id LIMIT ?
"""
_CLAIM = f"""
UPDATE occasions SET attempts = attempts + 1
WHERE id IN (SELECT value FROM json_each(?)) AND state = 'waiting' RETURNING {_COLUMNS}
"""
_GIVE_BACK = (
    "UPDATE occasions SET attempts = attempts - 1 WHERE id = ? AND state = 'waiting' AND attempts > 0"
)
_FINISH = "UPDATE occasions SET state = ?, reason = ? WHERE id = ? AND state = 'waiting' RETURNING at"
_TRACE = "INSERT INTO occasion_traces VALUES (?, ?, ?, ?, ?, ?, ?)"


def await_states(connection: apsw.Connection, wanted: Sequence[tuple[str, str]]) -> None:
    """Note these changes of deliveries from now on, and no others."""
    connection.execute("DELETE FROM awaited")
    connection.executemany("INSERT OR IGNORE INTO awaited VALUES (?, ?)", wanted)


def awaited(connection: apsw.Connection) -> set[tuple[str, str]]:
    """Which are noted: state and plugin."""
    return {(row[0], row[1]) for row in ask.every(connection, "SELECT state, plugin FROM awaited")}


def hearing(connection: apsw.Connection) -> Hearing:
    """Which events were wanted, and up to where they were queued."""
    since = ask.value(connection, "SELECT value FROM meta WHERE key = 'events_wanted'")
    return Hearing(json.loads(since or "{}"), int(ask.value(connection, _CURSOR) or 0))


def hear_events(connection: apsw.Connection, types: Collection[str]) -> Hearing:
    """Let these be wanted, those that were not before from now on."""
    before = hearing(connection)
    newest = int(ask.value(connection, "SELECT max(id) FROM events") or 0)
    since = {type_: before.since.get(type_, newest) for type_ in sorted(types)}
    cursor = before.cursor if before.since else newest
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('events_wanted', ?)", (json.dumps(since),))
    connection.execute(_SET_CURSOR, (str(cursor),))
    return Hearing(since, cursor)


def new_events(connection: apsw.Connection, heard: Hearing) -> tuple[int, list[int]]:
    """How far was looked, and the wanted events up to there."""
    wanted: list[int] = []
    cursor = heard.cursor
    while rows := ask.every(connection, _NEW_EVENTS, (cursor, LOOKED_THROUGH)):
        wanted += [number for number, kind in rows if heard.wants(number, kind)]
        cursor = rows[-1][0]
        if wanted or len(rows) < LOOKED_THROUGH:
            break
    return cursor, wanted


def take_events(connection: apsw.Connection, ids: Sequence[int], cursor: int) -> None:
    """Queue these, and look on from there."""
    connection.executemany(_EVENT, [(number,) for number in ids])
    connection.execute(_SET_CURSOR, (str(cursor),))


def ticks(connection: apsw.Connection) -> list[Tick]:
    """When each clock ticks next."""
    return [Tick(*row) for row in ask.every(connection, "SELECT plugin, handler, rhythm, next_at FROM ticks")]


def plan(connection: apsw.Connection, planned: Sequence[Tick], gone: Sequence[Tick], now: int) -> None:
    """Set when these tick next, and forget those."""
    connection.executemany(
        "DELETE FROM ticks WHERE plugin = ? AND handler = ? AND rhythm = ?",
        [(each.plugin, each.handler, each.rhythm) for each in gone],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO ticks VALUES (?, ?, ?, ?, ?)",
        [(each.plugin, each.handler, each.rhythm, each.next_at, now) for each in planned],
    )


def tick(connection: apsw.Connection, due: Tick, next_at: int, now: int) -> bool:
    """Queue it unless one of the same handler waits still; false where somebody else has done so."""
    connection.execute(_TICKED, (next_at, now, due.plugin, due.handler, due.rhythm, due.next_at))
    if not connection.changes():
        return False
    connection.execute(_TICK, (due.plugin, due.handler, now))
    return True


def fresh(connection: apsw.Connection, after: int, limit: int) -> list[Occasion]:
    """What waits beyond that number."""
    return [_occasion(row) for row in ask.every(connection, _FRESH, (after, limit))]


def claim(connection: apsw.Connection, ids: Sequence[int]) -> list[Occasion]:
    """Count one more attempt for each, before anything is done that may end the process."""
    return sorted(
        (_occasion(row) for row in ask.every(connection, _CLAIM, (json.dumps(list(ids)),))),
        key=lambda each: each.id,
    )


def give_back(connection: apsw.Connection, ids: Sequence[int]) -> None:
    """Take an attempt back where it was no death that ended it."""
    connection.executemany(_GIVE_BACK, [(each,) for each in ids])


def _occasion(row: Sequence[Any]) -> Occasion:
    named: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return Occasion(**named | {"kind": OccasionKind(named["kind"]), "detail": json.loads(named["detail"])})


def happened(connection: apsw.Connection, number: int) -> Happened | None:
    """An event."""
    row = ask.first(
        connection, "SELECT id, kind, account, raw, received_at FROM events WHERE id = ?", (number,)
    )
    return None if row is None else Happened(*row)


def moved(connection: apsw.Connection, number: int) -> Moved | None:
    """A delivery."""
    row = ask.first(
        connection,
        "SELECT id, kind, account, target, plugin, rule, message FROM deliveries WHERE id = ?",
        (number,),
    )
    return None if row is None else Moved(*row)


def finish_all(connection: apsw.Connection, asked: Sequence[tuple[Handled, int, int]]) -> list[bool]:
    """Store all that came of each, given how long deliveries count and what time it is."""
    return [_finish(connection, *each) for each in asked]


def _finish(connection: apsw.Connection, handled: Handled, expire_after: int, now: int) -> bool:
    found = ask.first(connection, _FINISH, (handled.state, handled.reason, handled.occasion))
    if found is None:
        return False
    count(connection, f"occasions_{handled.state}_total")
    connection.executemany(
        _TRACE,
        [
            (handled.occasion, ordinal, line.plugin, line.rule, line.decision, line.reason, line.ms)
            for ordinal, line in enumerate(handled.trace)
        ],
    )
    observing.note(connection, handled.would, now)
    write_state(connection, handled.changes, now)
    conversations.apply(connection, handled.talks, now)
    nothing = [None] * len(handled.deliveries)
    expires_at = found[0] + expire_after
    routing.queue(
        connection,
        [routing.Outgoing(handled.deliveries, nothing, None, handled.occasion, expires_at, now)],
    )
    return True
