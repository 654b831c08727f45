"""When a plugin's clock ticks next: in even steps, or at a time of day by the bot's time zone."""

from __future__ import annotations

import datetime as dt

from relay.authoring.rhythm import DAY, Rhythm

SHIFTED = 3 * 3_600_000  # ms by which the wall clock may jump, where summer time begins or ends


def word(rhythm: Rhythm, zone: dt.tzinfo) -> str:
    """A rhythm as it is remembered: where it is another one, what was planned by it counts no more."""
    if rhythm.at is None:
        return str(rhythm.period)
    return f"{rhythm.period}@{rhythm.at // 60:02}:{rhythm.at % 60:02} {zone}"


def first(rhythm: Rhythm, now: int, zone: dt.tzinfo) -> int:
    """When it ticks, where it begins now."""
    if rhythm.at is None:
        return now + rhythm.period
    today = dt.datetime.fromtimestamp(now / 1000, zone).date()
    at = _moment(today, rhythm.at, zone)
    return at if at > now else _moment(today + dt.timedelta(days=1), rhythm.at, zone)


def following(rhythm: Rhythm, due: int, now: int, zone: dt.tzinfo) -> int:
    """When it ticks after one that was due; what was missed until now is made up for by that one."""
    if rhythm.at is None:
        return due + (max(now - due, 0) // rhythm.period + 1) * rhythm.period
    days = rhythm.period // DAY
    date = dt.datetime.fromtimestamp(due / 1000, zone).date()
    missed = max(now - due, 0) // rhythm.period
    at = due
    while at <= now or at == due:
        date += dt.timedelta(days=days * max(missed, 1))
        at, missed = _moment(date, rhythm.at, zone), 0
    return at


def is_lost(rhythm: Rhythm, next_at: int, now: int) -> bool:
    """Whether it would tick much too late: the clock was ahead when that was worked out."""
    return next_at > now + rhythm.period + (0 if rhythm.at is None else SHIFTED)


def _moment(date: dt.date, minutes: int, zone: dt.tzinfo) -> int:
    """That time of day, the first where it comes twice; where the clock leaps over it, as much later."""
    local = dt.datetime.combine(date, dt.time(minutes // 60, minutes % 60), zone)
    return round(local.timestamp() * 1000)
