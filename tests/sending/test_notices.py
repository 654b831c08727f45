"""What did not go as decided stands in the log: with names, and without the words of customers."""

from __future__ import annotations

from bots import ANN, EAST, MIRROR, ONE, WEST, make_bot, rule
from structlog.testing import capture_logs

from relay.simulator.fault import Fault, Kind
from relay.testing import Bot


async def failing(bot: Bot) -> None:
    """A mirrored message whose forward is refused: the account has left the room."""
    bot.simulator.say(EAST, ANN, "my secret words")
    await bot.work()
    await bot.pass_time(3)


@rule
async def test_what_expired_is_told_with_the_names_of_account_and_chat() -> None:
    async with make_bot('[chats]\nwest = "' + WEST + '"\n' + MIRROR, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "my secret words")
        await bot.simulator.settle()
        await bot.router.drain()
        bot.clock.jump(3600)
        with capture_logs() as logs:
            await bot.work()
        told = [each for each in logs if each["event"] == "delivery_expired"]
        assert [(each["delivery"], each["target"], each["account"]) for each in told] == [("d1", WEST, ONE)]
        assert told[0]["target_name"] == "west"


@rule
async def test_no_line_of_the_log_has_the_words_of_a_customer() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        with capture_logs() as logs:
            bot.simulator.reject(WEST, "refused: my secret words")
            await failing(bot)
            await bot.pass_time(3600)
        assert "secret words" not in repr(logs)


@rule
async def test_a_throttled_account_is_told_of_by_name() -> None:
    async with make_bot(MIRROR) as bot:
        await bot.work()
        for number in range(2):
            bot.simulator.say(EAST, ANN, str(number))
        with capture_logs() as logs:
            bot.simulator.faults.add(Fault(Kind.RATE_LIMIT, account=ONE, seconds=30))
            await bot.work()
        assert [each["account"] for each in logs if each["event"] == "account_paused"] == [ONE]
