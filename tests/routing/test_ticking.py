"""When a clock ticks next: over restarts, missed ticks, summer time and clocks that are set."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bots import rule
from routing.test_occasions import clock, heard, told

from relay.authoring.rhythm import DAY, Rhythm
from relay.routing import ticking

BERLIN = ZoneInfo("Europe/Berlin")
NINE = Rhythm(DAY, 9 * 60)
HALF_TWO = Rhythm(DAY, 2 * 60 + 30)


def at(written: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return round(dt.datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-03-01T08:59", "2026-03-01T09:00"), ("2026-03-01T09:00", "2026-03-02T09:00")],
)
def test_at_a_time_of_day_it_begins_with_the_next_one(now: str, expected: str) -> None:
    assert ticking.first(NINE, at(now), BERLIN) == at(expected)


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        ("2026-03-28T09:00", "2026-03-28T09:00", "2026-03-29T09:00"),  # summer time begins in between
        ("2026-10-24T09:00", "2026-10-24T09:01", "2026-10-25T09:00"),  # and ends
        ("2026-03-01T09:00", "2026-03-05T08:00", "2026-03-05T09:00"),  # missed for days
        ("2026-03-01T09:00", "2026-03-05T10:00", "2026-03-06T09:00"),
    ],
)
def test_a_time_of_day_stays_one_whatever_happens_to_the_clock(due: str, now: str, expected: str) -> None:
    assert ticking.following(NINE, at(due), at(now), BERLIN) == at(expected)


def test_an_hour_that_comes_twice_or_not_at_all_ticks_once() -> None:
    leap = ticking.following(HALF_TWO, at("2026-03-28T02:30"), at("2026-03-28T02:30"), BERLIN)
    assert leap == at("2026-03-29T03:30")
    assert ticking.following(HALF_TWO, leap, leap, BERLIN) == at("2026-03-30T02:30")
    twice = ticking.following(HALF_TWO, at("2026-10-24T02:30"), at("2026-10-24T02:30"), BERLIN)
    assert twice == at("2026-10-25T02:30", fold=0)
    assert ticking.following(HALF_TWO, twice, at("2026-10-25T02:30", fold=1), BERLIN) == at(
        "2026-10-26T02:30"
    )


def test_every_so_many_days_keeps_its_days() -> None:
    weekly = Rhythm(7 * DAY, 9 * 60)
    assert ticking.following(weekly, at("2026-03-01T09:00"), at("2026-03-01T09:00"), BERLIN) == at(
        "2026-03-08T09:00"
    )
    assert ticking.following(weekly, at("2026-03-01T09:00"), at("2026-03-20T09:00"), BERLIN) == at(
        "2026-03-22T09:00"
    )


def test_even_steps_stay_even_and_what_was_missed_is_made_up_for_once() -> None:
    ten = Rhythm(600_000)
    assert ticking.following(ten, 600_000, 600_000, BERLIN) == 1_200_000
    assert ticking.following(ten, 600_000, 3_000_001, BERLIN) == 3_600_000


@rule
async def test_a_clock_that_is_put_back_silences_nobody_and_doubles_nothing(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        await bot.pass_time(600)
        bot.clock.set_by(-86_400 * 30)
        await bot.work()
        assert told(bot, "tick") == ["tick 1"]
        await bot.pass_time(600)
        assert told(bot, "tick") == ["tick 1", "tick 2"]


@rule
async def test_a_daily_report_comes_once_a_day_over_restarts(tmp_path: Path) -> None:
    async with clock(tmp_path, toml='[bot]\ntimezone = "Asia/Shanghai"\n') as bot:
        await heard(bot)
        for _ in range(9):
            await bot.pass_time(8 * 3600)
            await bot.restart()
            await bot.work()
        days = [line.split()[1] for line in told(bot, "daily")]
        assert len(days) == len(set(days)) == 3
