"""A clock that is set, or a machine that stood still, changes no outcome, and hides no silence."""

from __future__ import annotations

import pytest
from bots import (
    ANN,
    EAST,
    MIRROR,
    REPLY,
    entry,
    make_bot,
    receive,
    rule,
    said,
    states,
)
from sending.silence import AFTER_THE_GAP, greet, listen, log_calls

from relay.testing import ManualClock


@pytest.mark.parametrize("hours", [1, -1])
@rule
async def test_a_clock_that_is_set_confirms_nothing_early_and_nothing_late(hours: int) -> None:
    async with make_bot(REPLY, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        bot.clock.set_by(3_600 * hours)
        await bot.work()
        await bot.pass_time(58)
        assert await states(bot) == ["accepted"]
        await bot.pass_time(3)
        assert await states(bot) == ["delivered"]


@pytest.mark.parametrize("hours", [1, -1])
@rule
async def test_a_clock_that_is_set_lets_nothing_expire(hours: int) -> None:
    async with make_bot(REPLY + 'delay = "20m"\n', configured=True) as bot:
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        await bot.pass_time(2)
        bot.clock.set_by(3_600 * hours)
        await bot.work()
        await bot.pass_time(1_190)
        assert await states(bot) == ["queued"]
        await bot.pass_time(10)
        assert await states(bot) == ["accepted"]


@pytest.mark.parametrize("hours", [1, -1])
@rule
async def test_what_plugins_remember_for_a_while_is_remembered_as_long_by_a_clock_that_is_set(
    hours: int,
) -> None:
    async with make_bot(REPLY + 'cooldown = "10m"\n', configured=True) as bot:
        for passing in (2, 590, 10):
            bot.simulator.say(EAST, ANN, "price")
            await bot.work()
            await bot.pass_time(passing)
            if passing == 2:
                bot.clock.set_by(3_600 * hours)
                await bot.work()
        assert said(bot, EAST) == ["price", "ten", "price", "price"]
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        assert said(bot, EAST)[-1] == "ten"


@rule
async def test_a_clock_that_is_put_forward_lets_nobody_send_faster() -> None:
    async with make_bot(REPLY + "[delivery]\nper_minute = 2\n", configured=True) as bot:
        for number in range(4):
            bot.simulator.say(EAST, ANN, f"price {number}")
        await bot.work()
        bot.clock.set_by(3_600)
        await bot.work()
        assert said(bot, EAST).count("ten") == 2
        await bot.pass_time(60)
        assert said(bot, EAST).count("ten") == 4


@rule
async def test_a_clock_that_is_put_back_makes_no_gap() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await listen(bot, 5)
        bot.clock.set_by(-3_600)
        await listen(bot, 10)
        assert log_calls(bot) == 0


@rule
async def test_a_clock_that_jumps_ahead_may_be_that_of_a_machine_that_stood_still() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await listen(bot, 5)
        bot.clock.set_by(3_600)
        await listen(bot, 10)
        assert log_calls(bot) > 0


@pytest.mark.parametrize("hours", [1, -1])
@rule
async def test_what_is_decided_by_a_clock_that_was_set_while_no_sender_was_there_keeps_its_time(
    hours: int,
) -> None:
    async with make_bot(REPLY, configured=True) as bot:
        await bot.work()
        bot.clock.set_by(3_600 * hours)
        bot.clock.heed()  # nobody sends who would
        await bot.store.beat("router", 2, {})
        bot.clock.jump(1)
        await receive(bot, entry("1", "price"))
        await bot.receiver.taken_in()
        await bot.router.drain()
        bot.clock.jump(300)
        await bot.store.beat("router", 2, {})
        await bot.restart()
        await bot.work()
        assert await states(bot) == ["accepted"]


@rule
async def test_a_machine_that_is_started_anew_with_an_earlier_time_may_have_missed_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await listen(bot, 3)
        monkeypatch.setattr(ManualClock, "era", "after the start")
        bot.clock.set_by(-3_600)
        bot.clock.heed()
        bot.clock.jump(600)
        await bot.restart()
        await listen(bot, AFTER_THE_GAP)
        assert log_calls(bot) > 0


# -- what took effect twice ----------------------------------------------------
