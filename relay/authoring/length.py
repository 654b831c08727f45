"""Lengths of time, as handlers give them."""

from __future__ import annotations

import datetime as dt
import math

from relay.config.problems import UnfitError
from relay.config.values import Duration
from relay.language import Text

NO_LENGTH = Text("{key} 不是时长，却是 {kind}", "{key} is no length of time, but {kind}", "type")
LENGTH_HINT = Text('写 "10m"、秒数或 timedelta', 'write "10m", seconds or a timedelta')
NOT_ONE = Text("{key}：{what}", "{key}: {what}")

Length = str | float | dt.timedelta
"""A length of time: `"10m"`, seconds or a timedelta."""


def milliseconds(length: object, key: str) -> int:
    """A length of time, as the argument `key` gives it; raises `UnfitError`."""
    if isinstance(length, Duration):
        return int(length)
    if isinstance(length, str):
        try:
            return int(Duration(length))
        except UnfitError as exc:
            raise UnfitError(NOT_ONE.filled(key=key, what=exc.message), exc.hint) from exc
    seconds = length.total_seconds() if isinstance(length, dt.timedelta) else length
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise UnfitError(NO_LENGTH.filled(key=key, kind=type(length).__name__), LENGTH_HINT)
    return round(seconds * 1000)
