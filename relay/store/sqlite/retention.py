"""Let go of what is long settled, a little at a time; ids are known for longer than what they were of.

Looking takes no lock: `outdated` walks through a table and tells what may go, `remove` asks once more.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from relay.store.past import Kept, Outdated, Place, Removal
from relay.store.sqlite import ask
from relay.store.sqlite.ingest import count
from relay.store.sqlite.transactions import LONG_LOG, PAGE

DELIVERIES_AT_ONCE = 100  # of a message that went to thousands, only so many in one transaction
RESERVE = 4_096  # free pages, 16 MB, that the file keeps for what comes next, or a tenth where that is more

_SETTLED = "('delivered', 'failed', 'expired', 'discarded')"
_MAY_GO = f"""
m.received_at < ?1 AND m.state IN ('routed', 'skipped', 'set_aside') AND m.signal = 0
AND NOT EXISTS (
  SELECT 1 FROM deliveries d WHERE d.message = m.id AND (d.state NOT IN {_SETTLED} OR d.updated_at >= ?1))
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.entry = m.id AND d.message <> m.id)
"""
_EVENT_MAY_GO = """
e.received_at < ?1 AND e.signal = 0 AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.failure = e.id)
AND NOT EXISTS (SELECT 1 FROM occasions o WHERE o.kind = 'event' AND o.subject = e.id AND o.state = 'waiting')
"""
_OCCASION_MAY_GO = f"""
o.at < ?1 AND o.state <> 'waiting' AND NOT EXISTS (
  SELECT 1 FROM deliveries d WHERE d.occasion = o.id AND (d.state NOT IN {_SETTLED} OR d.updated_at >= ?1))
"""
_SOURCE_MAY_GO = "s.at < ?1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.source = s.id)"

_WHOLE = f"SELECT m.id FROM messages m WHERE m.id IN (SELECT value FROM json_each(?2)) AND {_MAY_GO}"
_WHOLE_OCCASION = f"""
SELECT o.id FROM occasions o WHERE o.id IN (SELECT value FROM json_each(?2)) AND {_OCCASION_MAY_GO}
"""


def _with_deliveries(
    whole: str, cause: str, table: str
) -> Callable[[apsw.Connection, Sequence[Place], int], tuple[int, bool]]:
    """Removes what deliveries come of, by a statement that tells which may go, and the deliveries before it.

    Traces and attempts go with what they belong to; deliveries may be left for another time.
    """
    # What waited for another goes before it.
    deliveries = f"""
    DELETE FROM deliveries WHERE id IN (
      SELECT id FROM deliveries WHERE {cause} IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?)
    """
    causes = f"""
    DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))
      AND NOT EXISTS (SELECT 1 FROM deliveries WHERE {cause} = {table}.id)
    """

    def remove(connection: apsw.Connection, keys: Sequence[Place], before: int) -> tuple[int, bool]:
        asked = json.dumps([number for (number,) in keys])
        found = json.dumps([row[0] for row in ask.every(connection, whole, (before, asked))])
        connection.execute(deliveries, (found, DELIVERIES_AT_ONCE))
        left = connection.changes() == DELIVERIES_AT_ONCE
        connection.execute(causes, (found,))
        return connection.changes(), left

    return remove


def _each(*statements: str) -> Callable[[apsw.Connection, Sequence[Place], int], tuple[int, bool]]:
    """Removes by statements that take `before` and a key; the last one counts."""

    def remove(connection: apsw.Connection, keys: Sequence[Place], before: int) -> tuple[int, bool]:
        bindings = [(before, *key) for key in keys]
        for statement in statements:
            earlier = connection.total_changes()
            connection.executemany(statement, bindings)
        return connection.total_changes() - earlier, False

    return remove


@dataclass(frozen=True, slots=True)
class _Walk:
    """How a table is walked through: each row tells its key, whether to go on, and whether it may go."""

    look: str  #: takes `before`, a limit, and the key to begin behind
    start: Place
    remove: Callable[[apsw.Connection, Sequence[Place], int], tuple[int, bool]]


def _passed_by(at: str, table: str) -> str:
    """Whether the walk goes on behind a row: it is old, or was kept while the clock was far ahead."""
    return f"{at} < ?1 OR {at} > (SELECT {at.rpartition('.')[2]} FROM {table} ORDER BY id DESC LIMIT 1)"


def _by_id(columns: str, table: str) -> str:
    return f"SELECT {columns} FROM {table} WHERE id > ?3 ORDER BY id LIMIT ?2"


_WALKS: Mapping[Kept, _Walk] = {
    Kept.MESSAGES: _Walk(
        _by_id(f"m.id, {_passed_by('m.received_at', 'messages')}, {_MAY_GO}", "messages m"),
        (0,),
        _with_deliveries(_WHOLE, "message", "messages"),
    ),
    Kept.OCCASIONS: _Walk(
        _by_id(f"o.id, {_passed_by('o.at', 'occasions')}, {_OCCASION_MAY_GO}", "occasions o"),
        (0,),
        _with_deliveries(_WHOLE_OCCASION, "occasion", "occasions"),
    ),
    Kept.EVENTS: _Walk(
        _by_id(f"e.id, {_passed_by('e.received_at', 'events')}, {_EVENT_MAY_GO}", "events e"),
        (0,),
        _each(f"DELETE FROM events AS e WHERE {_EVENT_MAY_GO} AND e.id = ?2"),
    ),
    Kept.DAMAGED: _Walk(
        _by_id(f"id, {_passed_by('received_at', 'damaged')}, received_at < ?1", "damaged"),
        (0,),
        _each("DELETE FROM damaged WHERE received_at < ?1 AND id = ?2"),
    ),
    Kept.SOURCES: _Walk(
        _by_id(f"s.id, {_passed_by('s.at', 'sources')}, {_SOURCE_MAY_GO}", "sources s"),
        (0,),
        _each(
            "DELETE FROM copies WHERE source = ?2"
            f" AND EXISTS (SELECT 1 FROM sources s WHERE s.id = ?2 AND {_SOURCE_MAY_GO})",
            f"DELETE FROM sources AS s WHERE {_SOURCE_MAY_GO} AND s.id = ?2",
        ),
    ),
    # By key, for an index by time would cost more at every callback than this walk does now and then.
    Kept.SEEN: _Walk(
        "SELECT account, key, 1, at < ?1 FROM seen WHERE (account, key) > (?3, ?4)"
        " ORDER BY account, key LIMIT ?2",
        ("", ""),
        _each("DELETE FROM seen WHERE at < ?1 AND account = ?2 AND key = ?3"),
    ),
}


def outdated(
    connection: apsw.Connection, kept: Kept, after: Place | None, before: int, limit: int
) -> Outdated:
    """Of the next rows behind a place, those that may go; where to go on, None at the end of what is old."""
    walk = _WALKS[kept]
    rows = ask.every(connection, walk.look, (before, limit, *(walk.start if after is None else after)))
    old = [row for row in rows if row[-2]]
    more = len(old) == limit
    return Outdated([row[:-2] for row in old if row[-1]], rows[-1][:-2] if more else None)


def remove(connection: apsw.Connection, kept: Kept, keys: Sequence[Place], before: int) -> Removal:
    """Remove those of them that still may go."""
    started = time.perf_counter()
    gone, left = _WALKS[kept].remove(connection, keys, before)
    if gone:
        count(connection, f"past_removed_total:{kept}", gone)
    return Removal(gone, left, time.perf_counter() - started)


def spare_pages(connection: apsw.Connection) -> int:
    """How many pages the file could give back; none where it was made without that ability."""
    if connection.pragma("auto_vacuum") != 2:
        return 0
    free, pages = (int(str(connection.pragma(name))) for name in ("freelist_count", "page_count"))
    return free - max(RESERVE, pages // 10)


def shrink(connection: apsw.Connection, pages: int) -> float:
    """Give so many free pages back to the disk; how many seconds that took."""
    started = time.perf_counter()
    ask.every(connection, f"PRAGMA incremental_vacuum({pages})")
    return time.perf_counter() - started


def shorten_log(path: Path) -> bool:
    """Bring a log that has grown long home and cut it, where nobody reads from it; whether it is short now.

    What is long is brought home first, while others write; only the rest of it holds them up.
    """
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size <= LONG_LOG * PAGE:
        return True
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    with contextlib.closing(connection):
        connection.set_busy_timeout(0)
        connection.wal_autocheckpoint(0)
        ask.every(connection, "PRAGMA wal_checkpoint(PASSIVE)")
        return not ask.value(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
