"""How often rules that only observe would have acted: in all, and by the hour for the last day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.ingest import count

HOUR = 3_600_000  # ms
LATELY = 24  # hours, of which the one that has begun is the last

_HOURS = "SELECT name, value FROM counters WHERE name >= 'would:' AND name < 'would;'"
_PAST = "DELETE FROM counters WHERE name >= 'would:' AND name < ?"


def note(connection: apsw.Connection, acting: Iterable[tuple[str, str]], now: int) -> None:
    """Count each plugin and rule that would have acted, and let go of what is a day old."""
    counted = Counter(acting)
    if not counted:
        return
    hour = now // HOUR
    connection.execute(_PAST, (_of(hour - LATELY + 1),))
    for (plugin, rule), times in counted.items():
        count(connection, f"would_total:{plugin}", times)
        count(connection, f"{_of(hour)}:{plugin}:{rule}", times)


def lately(connection: apsw.Connection, now: int) -> list[dict[str, object]]:
    """For each plugin and rule, on how much of the last day it would have acted: messages, events, ticks…"""
    first = now // HOUR - LATELY + 1
    found: Counter[tuple[str, str]] = Counter()
    for name, times in ask.every(connection, _HOURS):
        _, hour, plugin, rule = name.split(":", 3)
        if int(hour) >= first:
            found[plugin, rule] += times
    return [
        {"plugin": plugin, "rule": rule, "last_day": found[plugin, rule]} for plugin, rule in sorted(found)
    ]


def _of(hour: int) -> str:
    return f"would:{hour:08d}"
