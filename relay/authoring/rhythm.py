"""How often a plugin's clock ticks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.authoring.handlers import Handler
from relay.authoring.length import LENGTH_HINT, Length, milliseconds
from relay.config.problems import UnfitError
from relay.config.values import Duration
from relay.language import Text

DAY = 86_400_000  # ms
LEAST = Duration("1s")

SHORT = Text("every：间隔不能小于 {least}", "every: it cannot tick more often than every {least}", "range")
NO_MOMENT = Text("at 不是一天中的时刻", "at is not a time of day", "value")
MOMENT_HINT = Text('写 "09:00"', 'write "09:00"')
WHOLE_DAYS = Text("at 只和整天的间隔一起用", "at goes only with whole days", "value")
DAYS_HINT = Text('写 every("1d", at="09:00")', 'write every("1d", at="09:00")')


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Every `period` ms; with `at` (minutes since midnight) at that time of day, in the bot's time zone."""

    period: int
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Ticker:
    """A handler that is called by the clock; period and time of day may be functions of the settings."""

    handler: Handler
    period: Length | Callable[[Any], Length]
    at: str | Callable[[Any], str | None] | None

    def bound(self, settings: object) -> Rhythm:
        """Its rhythm with these settings; raises `PluginError`."""
        period = self.period(settings) if callable(self.period) else self.period
        at = self.at(settings) if callable(self.at) else self.at
        with self.handler.blaming():
            return rhythm(period, at)

    def check(self) -> None:
        """Raise `PluginError` for what is wrong whatever the settings are."""
        with self.handler.blaming():
            if not callable(self.period) and not callable(self.at):
                rhythm(self.period, self.at)
            elif not callable(self.period):
                rhythm(self.period, None)


def rhythm(period: Length, at: str | None) -> Rhythm:
    """Read a rhythm; raises `UnfitError`."""
    length = milliseconds(period, "every")
    if length < LEAST:
        raise UnfitError(SHORT.filled(least=LEAST), LENGTH_HINT)
    if at is None or at == "":
        return Rhythm(length)
    if length % DAY:
        raise UnfitError(WHOLE_DAYS, DAYS_HINT)
    return Rhythm(length, _minutes(at))


def _minutes(at: object) -> int:
    found = re.fullmatch(r"\s*([0-9]{1,2})[:：]([0-9]{2})\s*", at) if isinstance(at, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise UnfitError(NO_MOMENT, MOMENT_HINT)
    return int(found[1]) * 60 + int(found[2])
