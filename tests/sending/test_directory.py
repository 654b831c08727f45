"""Names are asked for beside everything else, and kept."""

from __future__ import annotations

from bots import ANN, EAST, ONE, WEST, rule

from relay.testing import Bot


def a_bot() -> Bot:
    bot = Bot(accounts=(ONE,))
    bot.simulator.add_account(ONE, "Assistant")
    bot.simulator.add_contact(ANN, "Ann")
    for room, name in ((EAST, "East customers"), (WEST, "West customers")):
        bot.simulator.add_room(room, name, [ONE, ANN])
    return bot


async def known(bot: Bot) -> dict[str, str]:
    return await bot.store.names([ONE, ANN, EAST, WEST])


@rule
async def test_rooms_senders_and_accounts_are_named_once_they_are_heard() -> None:
    async with a_bot() as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        await bot.pass_time(3)
        assert await known(bot) == {ONE: "Assistant", ANN: "Ann", EAST: "East customers"}


@rule
async def test_a_private_contact_is_named() -> None:
    async with a_bot() as bot:
        bot.simulator.say(ONE, ANN, "hello")
        await bot.work()
        await bot.pass_time(3)
        assert (await known(bot))[ANN] == "Ann"


@rule
async def test_a_name_is_not_asked_for_again_while_it_is_fresh() -> None:
    async with a_bot() as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        await bot.pass_time(3)
        before = len(bot.simulator.ledger.requests)
        bot.simulator.say(EAST, ANN, "again")
        await bot.pass_time(60)
        assert len(bot.simulator.ledger.requests) == before


@rule
async def test_whom_the_platform_does_not_know_is_asked_for_once() -> None:
    async with a_bot() as bot:
        bot.simulator.world.add_contact("7881300000000099", "")
        bot.simulator.world.join(EAST, "7881300000000099")
        bot.simulator.say(EAST, "7881300000000099", "hello")
        await bot.work()
        await bot.pass_time(3)
        before = len(bot.simulator.ledger.requests)
        await bot.pass_time(60)
        assert len(bot.simulator.ledger.requests) == before
