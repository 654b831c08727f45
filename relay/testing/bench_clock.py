"""The time of a bench: it stands still until a test moves it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from relay.config.values import Duration
from relay.simulator.clockwork import ManualClock
from relay.testing.judgement import Decisions

Length = str | float | dt.timedelta


class BenchClock:
    """Says what time it is for the plugin, and lets it pass."""

    def __init__(self, clock: ManualClock, zone: dt.tzinfo, wait: Callable[[int], Decisions]) -> None:
        """`wait` lets time pass until that many milliseconds since 1970."""
        self._clock = clock
        self._zone = zone
        self._wait = wait

    @property
    def now(self) -> dt.datetime:
        """The time in the bot's time zone."""
        return dt.datetime.fromtimestamp(self._clock.now() / 1000, self._zone)

    def advance(self, length: Length = 0, *, to: str = "") -> Decisions:
        """Let so much time pass (`"1h"`, seconds, a timedelta), or all until it is `to` (`"09:00"`) next.

        Returns what the plugin decides meanwhile, at each tick and each time-out, in their order.
        """
        __tracebackhide__ = True
        return self._wait(self._next(to) if to else self._clock.now() + _milliseconds(length))

    def _next(self, to: str) -> int:
        now, time = self.now, dt.time.fromisoformat(to)
        day = now if now.time() < time else now + dt.timedelta(days=1)
        return round(dt.datetime.combine(day.date(), time, now.tzinfo).timestamp() * 1000)


def _milliseconds(length: Length) -> int:
    if isinstance(length, str):
        return int(Duration(length))
    seconds = length.total_seconds() if isinstance(length, dt.timedelta) else length
    if seconds < 0:
        raise ValueError("time does not run backwards")
    return round(seconds * 1000)
