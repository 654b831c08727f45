"""The clock of the machine is set while nobody sends, or is another than the platform's."""

from __future__ import annotations

from email.utils import formatdate

from bots import ANN, EAST, make_bot, rule, states

from relay.sending.dates import PlatformClock
from relay.simulator.fault import Fault, Kind
from relay.testing import ManualClock

HOUR = 3_600
REPLY = """
[[plugins.keyword_reply.rules]]
name = "price"
contains = ["price"]
reply = "ten"
delay = "60s"
"""


def date(clock: ManualClock, seconds: float) -> str:
    """That of a clock which is so far ahead."""
    return formatdate(clock.now() / 1000 + seconds, usegmt=True)


@rule
async def test_a_clock_that_is_set_while_nobody_sends_lets_nothing_expire_and_nothing_wait() -> None:
    for hours in (1, -1):
        async with make_bot(REPLY, configured=True) as bot:
            bot.simulator.say(EAST, ANN, "price?")
            await bot.work()
            bot.clock.set_by(hours * HOUR)
            await bot.restart()
            await bot.work()
            assert await states(bot) == ["queued"]
            await bot.pass_time(61)
            assert await states(bot) == ["accepted"]


@rule
async def test_a_clock_that_is_set_leaves_a_pause_as_long_as_it_was() -> None:
    for hours in (1, -1):
        async with make_bot(REPLY.replace("60s", "0s"), configured=True) as bot:
            bot.simulator.faults.add(Fault(Kind.ERRCODE, path="/wechat/sendMessage", errcode=407, times=None))
            bot.simulator.say(EAST, ANN, "price?")
            await bot.work()
            (before,) = await bot.store.pauses()
            bot.clock.set_by(hours * HOUR)
            await bot.restart()
            await bot.work()
            (after,) = await bot.store.pauses()
            assert after.until - before.until == hours * HOUR * 1_000


# -- the platform's ------------------------------------------------------------


def test_the_platforms_clock_is_known_by_its_dates_however_ours_is_set() -> None:
    clock = ManualClock()
    platform = PlatformClock(clock)
    platform.heard(date(clock, -HOUR), clock.steady())
    assert round(platform.ahead() / 1000) == -HOUR
    clock.set_by(-HOUR)
    assert platform.ahead() == 0


def test_what_takes_long_to_be_answered_makes_no_difference_between_clocks() -> None:
    clock = ManualClock()
    platform, asked_at = PlatformClock(clock), clock.steady()
    told = date(clock, 0)
    clock.jump(10)
    platform.heard(told, asked_at)
    assert platform.ahead() == 0


def test_a_date_that_is_none_tells_nothing() -> None:
    platform = PlatformClock(ManualClock())
    for nonsense in ("", "soon", "Mon, 99 Foo 2026 00:00:00 GMT"):
        platform.heard(nonsense, 0)
    assert (platform.ahead(), platform.now()) == (0, None)
