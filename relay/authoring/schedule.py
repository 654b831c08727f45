"""Hours and days: when a rule or route is in force, by the wall clock of the bot's time zone."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Annotated, Self

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from relay.config.problems import UnfitError, did_you_mean, mistaken
from relay.language import Text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = Text("时段", "hours")
EXAMPLE = Text(
    '写 "09:00-18:00"，跨夜写 "22:00-06:00"', 'write "09:00-18:00", or "22:00-06:00" over midnight'
)

_HOURS = re.compile(r"\s*([0-9]{1,2}):([0-9]{2})\s*[-–—]\s*([0-9]{1,2}):([0-9]{2})\s*")


class Hours(str):
    """A part of the day, written `"09:00-18:00"`, its end exclusive; `""` is the whole day.

    `"22:00-06:00"` goes over midnight, and all of it belongs to the day it begins on.
    """

    __slots__ = ("begin", "end")

    begin: int  #: minutes since midnight
    end: int

    def __new__(cls, written: str = "") -> Self:
        made = super().__new__(cls, written)
        made.begin, made.end = _minutes(written) if written.strip() else (0, 24 * 60)
        return made

    def day_of(self, time: dt.datetime) -> int | None:
        """The weekday (Monday is 0) whose hours these are, or None outside them."""
        minute = time.hour * 60 + time.minute
        if self.begin < self.end:
            return time.weekday() if self.begin <= minute < self.end else None
        if minute >= self.begin:
            return time.weekday()
        return (time.weekday() - 1) % 7 if minute < self.end else None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read)

    @classmethod
    def _read(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise mistaken(HOURS, value, EXAMPLE)
        return cls(value)


def _minutes(written: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(unicodedata.normalize("NFKC", written))
    if found is None:
        raise UnfitError(Text("不是一天中的时段", "is not a part of the day"), EXAMPLE)
    hour, minute, end_hour, end_minute = map(int, found.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or begin >= 24 * 60 or end > 24 * 60:
        raise UnfitError(Text("没有这个时刻", "there is no such time of day"), EXAMPLE)
    if begin == end:
        raise UnfitError(
            Text("结束和开始是同一时刻", "ends when it begins"),
            Text("全天就留空", "leave it empty for the whole day"),
        )
    return begin, end


def _day(name: str) -> str:
    if name in DAYS:
        return name
    listed = ", ".join(f'"{day}"' for day in DAYS)
    hint = did_you_mean(name[:3], DAYS) or Text("写 {days}", "write {days}").filled(days=listed)
    raise UnfitError(Text("不是星期几", "is not a day"), hint)


Days = tuple[Annotated[str, AfterValidator(_day)], ...]
"""Days of the week, `"mon"` to `"sun"`; none means every day."""


def closed(time: dt.datetime, hours: Hours, days: tuple[str, ...]) -> str | None:
    """Why these hours and days do not include the time, or None."""
    day = hours.day_of(time)
    if day is None:
        return f"hours: {time:%H:%M} is not in {hours}"
    if days and DAYS[day] not in days:
        return f"days: {DAYS[day]} is not among {', '.join(days)}"
    return None
