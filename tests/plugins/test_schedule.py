"""Hours and days, by the wall clock of the time they are asked about."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.authoring.schedule import DAYS, Hours, closed
from relay.config.problems import UnfitError

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRIDAY, SATURDAY = dt.date(2024, 5, 3), dt.date(2024, 5, 4)


def at(day: dt.date, time: str, zone: dt.tzinfo = SHANGHAI) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(time), zone)


@pytest.mark.parametrize(
    ("hours", "days", "time", "open_"),
    [
        ("", (), at(FRIDAY, "00:00"), True),
        ("09:00-18:00", (), at(FRIDAY, "08:59:59"), False),
        ("09:00-18:00", (), at(FRIDAY, "09:00"), True),
        ("09:00-18:00", (), at(FRIDAY, "17:59:59.999"), True),
        ("09:00-18:00", (), at(FRIDAY, "18:00"), False),
        ("9:00 – 18:00", (), at(FRIDAY, "09:00"), True),
        ("00:00-24:00", (), at(FRIDAY, "23:59:59"), True),
        ("22:00-06:00", (), at(FRIDAY, "22:00"), True),
        ("22:00-06:00", (), at(FRIDAY, "05:59"), True),
        ("22:00-06:00", (), at(FRIDAY, "06:00"), False),
        ("22:00-06:00", (), at(FRIDAY, "21:59"), False),
        ("", ("fri",), at(FRIDAY, "12:00"), True),
        ("", ("fri",), at(SATURDAY, "00:00"), False),
        ("22:00-06:00", ("fri",), at(FRIDAY, "23:00"), True),
        ("22:00-06:00", ("fri",), at(SATURDAY, "05:00"), True),
        ("22:00-06:00", ("fri",), at(SATURDAY, "22:00"), False),
        ("22:00-06:00", ("fri",), at(FRIDAY, "05:00"), False),
        ("22:00-06:00", ("sun",), at(dt.date(2024, 5, 6), "01:00"), True),
        ("22:00-06:00", ("sat",), at(SATURDAY, "22:00", ZoneInfo("Asia/Kolkata")), True),
    ],
)
def test_the_end_is_exclusive_and_a_night_belongs_to_the_day_it_begins(
    hours: str, days: tuple[str, ...], time: dt.datetime, open_: bool
) -> None:
    assert (closed(time, Hours(hours), days) is None) is open_


@given(st.datetimes(), st.integers(0, 1439), st.integers(0, 1439))
def test_a_moment_is_in_hours_or_in_the_rest_of_the_day(time: dt.datetime, begin: int, end: int) -> None:
    if begin != end:
        one, other = (
            f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in ((begin, end), (end, begin))
        )
        assert (Hours(one).day_of(time) is None) is not (Hours(other).day_of(time) is None)


def test_the_days_begin_with_monday_as_in_python() -> None:
    assert DAYS[dt.date(2024, 5, 6).weekday()] == "mon"


@pytest.mark.parametrize(
    "hours", ["9-18", "09:00", "25:00-26:00", "09:60-10:00", "24:00-01:00", "09:00-24:01", "09:00-09:00"]
)
def test_what_is_no_part_of_a_day_is_refused(hours: str) -> None:
    with pytest.raises(UnfitError):
        Hours(hours)


def test_hours_remember_how_they_were_written() -> None:
    assert (str(Hours("22:00-06:00")), str(Hours())) == ("22:00-06:00", "")
