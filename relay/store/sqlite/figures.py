"""The bot in numbers: what is asked of the database costs the same however much is in it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.ingest import count
from relay.store.states import LEFT, DeliveryState
from relay.store.values import ECHO_BOUNDS, Figures

LATE = "answers_late_total"
PLATFORM_DAY = timedelta(hours=8)  # ahead of UTC: the platform counts late answers by the days of China

_LATE_TODAY = "SELECT value FROM meta WHERE key = 'answers_late_on'"
_SET_LATE = "INSERT OR REPLACE INTO meta VALUES ('answers_late_on', ?)"
_OLDEST_WAITING = "SELECT received_at FROM messages WHERE state = 'waiting' ORDER BY id LIMIT 1"
_OLDEST_KEPT = "SELECT received_at FROM messages ORDER BY id LIMIT 1"
_GAPS = "SELECT count(*) FROM gaps WHERE open = 1"
_REPAIRS = "SELECT count(*) FROM repairs"
# What is due first is about the first to expire; a delay is no age.
_FIRST_QUEUED = """
SELECT due_at FROM deliveries INDEXED BY deliveries_expiry
WHERE state = 'queued' ORDER BY expires_at LIMIT 1
"""
_FIRST = """
SELECT updated_at FROM deliveries INDEXED BY deliveries_state WHERE state = ? ORDER BY id LIMIT 1
"""


def figures(connection: apsw.Connection, now: int) -> Figures:
    """What can be told without counting what lies behind."""
    pages, free, size = (
        int(str(connection.pragma(name))) for name in ("page_count", "freelist_count", "page_size")
    )
    return Figures(
        waiting_since=ask.value(connection, _OLDEST_WAITING),
        kept_since=ask.value(connection, _OLDEST_KEPT),
        since=_since(connection),
        gaps=ask.value(connection, _GAPS),
        repairs=ask.value(connection, _REPAIRS),
        late_today=_late_on(connection, _day(now)),
        size=pages * size,
        spare=free * size,
    )


def _since(connection: apsw.Connection) -> dict[str, int]:
    first = {str(state): ask.value(connection, _FIRST, (state,)) for state in LEFT}
    first[DeliveryState.QUEUED] = ask.value(connection, _FIRST_QUEUED)
    return {state: at for state, at in first.items() if at is not None}


def count_answers(connection: apsw.Connection, name: str, times: int, now: int) -> None:
    """Add to a counter; late answers are counted by the day as well, for so are those of the platform."""
    count(connection, name, times)
    if name == LATE:
        day = _day(now)
        connection.execute(_SET_LATE, (f"{day} {_late_on(connection, day) + times}",))


def _day(now: int) -> str:
    return (datetime.fromtimestamp(now / 1000, UTC) + PLATFORM_DAY).date().isoformat()


def _late_on(connection: apsw.Connection, day: str) -> int:
    counted_on, _, times = (ask.value(connection, _LATE_TODAY) or "").partition(" ")
    return int(times) if counted_on == day else 0


def time_echo(counters: Counter[str], milliseconds: int) -> None:
    """Count an echo under the least bound that it kept, and add up how long all took."""
    bound = next((str(each) for each in ECHO_BOUNDS if milliseconds <= each), "more")
    counters[f"echoes_total:{bound}"] += 1
    counters["echo_milliseconds_total"] += milliseconds
