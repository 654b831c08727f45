"""Whoever waits for echoes too briefly is told so, in the log and in `relay status`."""

from __future__ import annotations

import pytest
from bots import ANN, EAST, REPLY, make_bot, rule
from structlog.testing import capture_logs

from relay.operating.report import Report
from relay.simulator.fault import Fault, Kind
from relay.testing import Bot


async def measured(bot: Bot, echoes: int, seconds: float) -> None:
    """Let so many messages come back so late, and let it be noticed."""
    bot.simulator.faults.add(Fault(Kind.LATE, echoes_only=True, seconds=seconds, times=None))
    for number in range(echoes):
        bot.simulator.say(EAST, ANN, f"price {number}")
        await bot.work()
        await bot.pass_time(seconds)
    await bot.pass_time(600)


@pytest.mark.parametrize(
    ("echoes", "seconds", "short"), [(20, 10.5, True), (20, 9.5, False), (19, 10.5, False)]
)
@rule
async def test_a_wait_under_three_times_what_echoes_take_is_warned_of(
    echoes: int, seconds: float, short: bool
) -> None:
    async with make_bot(REPLY, configured=True) as bot:
        with capture_logs() as logs:
            await measured(bot, echoes, seconds)
        warned = [each for each in logs if each["event"] == "resolve_within_short"]
        told = (await Report(bot.config, bot.store, bot.clock).status([]))["echoes"]
        assert (len(warned), told["short"]) == (int(short), short)  # type: ignore[index]
