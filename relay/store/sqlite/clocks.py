"""What follows when somebody has set the clock: what is to happen at a time moves with it.

How far the clock was ahead of the machine's steady one is on record, so that a clock that was set while
nobody looked is noticed too: by whoever sends next, unless the machine has been started anew meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import apsw

from relay.clock import SET, Clock
from relay.store.sqlite import ask, sending
from relay.store.values import Callback

UNSEEN = 60_000  # ms for which nobody may have looked at the clock, where no process was there to
SEEN = 2_000  # ms by which somebody who gives signs of life saw it later
HEARD = 20_000  # messages, from the newest, that are compared with attempts
ECHOES = 600_000  # ms after its start in which what came back is compared with an attempt

_MARK = "SELECT value FROM meta WHERE key = 'clock'"
_SET_MARK = "INSERT OR REPLACE INTO meta VALUES ('clock', ?)"
_NOTICED = "SELECT value FROM meta WHERE key = 'clock_noticed'"
_NOTICE = "INSERT OR REPLACE INTO meta VALUES ('clock_noticed', ?)"
_FORWARD = "SELECT value FROM meta WHERE key = 'clock_put_forward'"
_PUT_FORWARD = "INSERT OR REPLACE INTO meta VALUES ('clock_put_forward', ?)"
_MOVES = (
    """
    UPDATE messages INDEXED BY messages_waiting SET received_at = received_at + :by
    WHERE state = 'waiting' AND received_at NOT BETWEEN :since AND :now
      AND id <= (SELECT max(id) FROM messages) - :heard
    """,
    # What was heard before an attempt, and what after it: the log is asked for what came since.
    """
    UPDATE messages SET received_at = received_at + :by
    WHERE id > (SELECT max(id) FROM messages) - :heard AND received_at NOT BETWEEN :since AND :now
      AND (received_at >= :now - :by - :echoes OR state = 'waiting')
    """,
    """
    UPDATE events INDEXED BY events_signal SET received_at = received_at + :by
    WHERE signal = 1 AND received_at NOT BETWEEN :since AND :now
    """,
    # They keep the pace, and tell which echo may be whose.
    """
    UPDATE attempts INDEXED BY attempts_pace SET started_at = started_at + :by, ended_at = ended_at + :by
    WHERE started_at >= :now - :by - :echoes AND started_at NOT BETWEEN :since AND :now
    """,
    "UPDATE pauses SET until = until + :by",  # none but the sender writes these
    "UPDATE processes SET beat = beat + :by WHERE beat NOT BETWEEN :since AND :now",
    """
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + :by AS TEXT)
    WHERE key IN ('listened_at', 'receiver_died_at', 'receiver_left_at', 'taken_in')
      AND CAST(value AS INTEGER) NOT BETWEEN :since AND :now
    """,
    "UPDATE meta SET value = CAST(CAST(value AS INTEGER) - :by AS TEXT) WHERE key = 'platform_ahead'",
    "UPDATE gaps SET begins = begins + :by, ends = ends + :by WHERE ends NOT BETWEEN :since AND :now",
    "UPDATE repairs SET begins = begins + :by, ends = ends + :by WHERE ends NOT BETWEEN :since AND :now",
    """
    UPDATE conversations SET since = since + :by, until = until + :by, set_at = set_at + :by
    WHERE set_at NOT BETWEEN :since AND :now
    """,
    """
    UPDATE plugin_state INDEXED BY plugin_state_expiry
    SET expires_at = expires_at + :by, set_at = set_at + :by
    WHERE expires_at IS NOT NULL AND set_at NOT BETWEEN :since AND :now
    """,
    # What ticks at a time of day goes by the clock as it is set.
    """
    UPDATE ticks SET next_at = next_at + :by, set_at = set_at + :by
    WHERE instr(rhythm, '@') = 0 AND set_at NOT BETWEEN :since AND :now
    """,
    """
    UPDATE occasions INDEXED BY occasions_waiting SET at = at + :by
    WHERE state = 'waiting' AND at NOT BETWEEN :since AND :now
    """,
)
# What the router made since then of what was received before.
_EXPIRES = """
UPDATE deliveries INDEXED BY deliveries_expiry SET expires_at = expires_at + :by
WHERE state = 'queued' AND created_at BETWEEN :since AND :now AND EXISTS (
  SELECT 1 FROM messages m
  WHERE m.id = deliveries.message AND m.late = 0 AND m.received_at NOT BETWEEN :since AND :now)
"""


def set_since(connection: apsw.Connection, clock: Clock) -> int:
    """By how many milliseconds the clock was set, and nobody has heeded it yet."""
    era, _, before = (ask.value(connection, _MARK) or "").rpartition(" ")
    by = _ahead(clock) - int(before) if era == clock.era else 0
    return by if abs(by) >= SET else 0


def heed(connection: apsw.Connection, clock: Clock) -> int:
    """Move everything by as much as the clock was set since the last time; how much that was."""
    by = set_since(connection, clock)
    if by:
        noticed_at = _noticed_at(connection, clock)
        within = UNSEEN if noticed_at is None else SEEN
        shift(connection, clock, by, within, noticed_at)
    else:
        _mark(connection, clock)
    return by


def notice(connection: apsw.Connection, clock: Clock) -> None:
    """Note when the clock was set, where whoever is to heed that is not there: others go on writing."""
    if set_since(connection, clock) and _noticed_at(connection, clock) is None:
        connection.execute(_NOTICE, (f"{_ahead(clock)} {clock.now()}",))


def _noticed_at(connection: apsw.Connection, clock: Clock) -> int | None:
    """When somebody saw first that it is set as it is now."""
    ahead, _, at = (ask.value(connection, _NOTICED) or "").partition(" ")
    return int(at) if at and abs(int(ahead) - _ahead(clock)) < SET else None


def shift(
    connection: apsw.Connection, clock: Clock, by: int, within: int, noticed_at: int | None = None
) -> None:
    """Move what was written by the clock as it was; what was written since, within so long, stays.

    It is as long before somebody noticed, where somebody did, and otherwise before now.
    """
    now = clock.now()
    # Put forward, it leaves a time in which nobody wrote, unless it was put back shortly before.
    since = (noticed_at or now) - (min(by // 2, within) if by > 0 else within)
    asked = {"by": by, "since": since, "now": now, "echoes": ECHOES, "heard": HEARD}
    connection.execute(_EXPIRES, {key: asked[key] for key in ("by", "since", "now")})
    sending.shift(connection, by, since, now)
    for move in _MOVES:
        connection.execute(move, {key: value for key, value in asked.items() if f":{key}" in move})
    ask.every(connection, _PUT_FORWARD, (f"{noticed_at or now} {by}" if by > 0 else "0 0",))
    _mark(connection, clock)


def as_moved(connection: apsw.Connection, callbacks: Sequence[Callback]) -> list[Callback]:
    """These, though they come from a journal that was written before the clock was put forward."""
    at, _, by = (ask.value(connection, _FORWARD) or "0 0").partition(" ")
    before = int(at) - int(by) // 2
    return [replace(each, at=each.at + int(by)) if each.at < before else each for each in callbacks]


def _mark(connection: apsw.Connection, clock: Clock) -> None:
    ask.every(connection, _SET_MARK, (f"{clock.era} {_ahead(clock)}",))
    connection.execute("DELETE FROM meta WHERE key = 'clock_noticed'")


def _ahead(clock: Clock) -> int:
    return clock.now() - clock.steady()
