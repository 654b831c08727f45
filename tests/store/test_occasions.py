"""What plugins handle beside messages, in the database: noted where it is wanted, once, and for a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest
from bots import MIRROR, deliveries, rule
from routing.test_occasions import clock, heard
from store.deliveries import new_database, put
from store.test_retention import DAY, chore

from relay.store.past import Kept
from relay.store.sqlite import ask, occasions


def noted(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    return ask.every(connection, "SELECT became, place, depth FROM occasions ORDER BY id")


def test_a_change_is_noted_for_whom_it_concerns_and_once_until_an_operator_begins_anew() -> None:
    connection = new_database()
    occasions.await_states(connection, [("failed", "other"), ("queued", "p")])
    put(connection, "failed")
    put(connection, "queued")
    put(connection, "failed")
    assert noted(connection) == [("failed", 1, 0)]
    put(connection, "queued", position=99)
    put(connection, "failed")
    assert noted(connection)[1:] == [("failed", 99, 0)]


def test_nothing_is_noted_for_the_plugin_that_decided_it() -> None:
    connection = new_database()
    occasions.await_states(connection, [("failed", "p")])
    put(connection, "failed")
    assert noted(connection) == []


@pytest.mark.parametrize(
    "values",
    [
        "('event', '', '', 7, '', '{}', 1)",
        "('tick', 'p', 'h', NULL, '', '{}', 1)",
        "('timeout', 'p', 'h', 7, '', '{}', 1)",
        "('delivery', '', '', 7, 'failed', '{}', 1)",
    ],
)
def test_what_waits_is_there_once(values: str) -> None:
    connection = new_database()
    insert = f"INSERT INTO occasions (kind, plugin, handler, subject, became, detail, at) VALUES {values}"
    connection.execute(insert)
    with pytest.raises(apsw.ConstraintError):
        connection.execute(insert)


@pytest.mark.parametrize(
    "values",
    [
        "('tick', '', 'h', NULL, '', '{}', 1)",
        "('tick', 'p', 'h', 7, '', '{}', 1)",
        "('event', '', '', NULL, '', '{}', 1)",
        "('delivery', '', '', 7, '', '{}', 1)",
        "('echo', '', '', 7, '', '{}', 1)",
        "('event', '', '', 7, '', '{', 1)",
    ],
)
def test_an_impossible_occasion_is_refused(values: str) -> None:
    with pytest.raises(apsw.ConstraintError):
        new_database().execute(
            f"INSERT INTO occasions (kind, plugin, handler, subject, became, detail, at) VALUES {values}"
        )


@rule
async def test_what_was_handled_long_ago_goes_with_its_deliveries(tmp_path: Path) -> None:
    async with clock(tmp_path, toml=MIRROR) as bot:
        await heard(bot)
        await bot.pass_time(600)
        await bot.pass_time(61)
        assert {row["kind"] for row in await bot.store.occasions.occasions()} == {"tick", "delivery"}
        bot.clock.jump(31 * DAY / 1000)
        removed = await chore(bot).round()
        assert removed[Kept.OCCASIONS] == 2
        assert await bot.store.occasions.occasions() == []
        assert await deliveries(bot) == []


@rule
async def test_what_still_waits_stays_however_old_it_is(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        await bot.store.occasions.plan([])
        (tick, *_) = await bot.store.occasions.ticks()
        await bot.store.occasions.tick(tick, tick.next_at + 1)
        bot.clock.jump(31 * DAY / 1000)
        assert (await chore(bot).round())[Kept.OCCASIONS] == 0
