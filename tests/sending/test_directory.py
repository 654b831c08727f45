"""Names are asked for beside everything else, and kept."""

from __future__ import annotations

from bots import ANN, EAST, ONE, WEST, rule

from relay.authoring.names import Names
from relay.simulator.fault import Fault, Kind
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
async def test_a_room_that_the_platform_will_not_tell_of_holds_up_no_other_name() -> None:
    async with a_bot() as bot:
        refusal = Fault(Kind.ERRCODE, path="/wechat/roomDetail", errcode=1001, times=1)
        bot.simulator.faults.add(refusal)
        for room in (EAST, WEST):
            bot.simulator.say(room, ANN, "hello")
        await bot.work()
        for _ in range(5):
            await bot.pass_time(3)
        assert len((await known(bot)).keys() & {EAST, WEST}) == 1
        await bot.pass_time(601)
        await bot.pass_time(3)
        assert (await known(bot)).keys() >= {EAST, WEST, ANN}


@rule
async def test_no_more_is_asked_in_a_minute_than_is_meant_for_names() -> None:
    async with a_bot() as bot:
        for number in range(40):
            room = f"R:{number}"
            bot.simulator.add_room(room, room, [ONE, ANN])
            bot.simulator.say(room, ANN, "hello")
        await bot.work()
        for _ in range(60):
            await bot.pass_time(1)
        paths = [each.path for each in bot.simulator.ledger.requests]
        assert sum("oom" in path or "contact" in path for path in paths) <= 150


@rule
async def test_a_name_is_used_as_soon_as_it_is_known() -> None:
    async with a_bot() as bot:
        names = Names(bot.store, bot.clock, {})
        await names.learn([ANN])
        await bot.store.write_names([(ANN, "Ann")])
        bot.clock.jump(1.5)
        await names.learn([ANN])
        assert names.of(ANN) == "Ann"


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


@rule
async def test_the_rooms_of_the_configuration_are_named_before_anybody_speaks() -> None:
    async with a_bot() as bot:
        await bot.pass_time(3)
        assert await known(bot) == {ONE: "Assistant"}
    several = f'[chats]\neast = ["{EAST}", "{WEST}"]\nann = "{ANN}"\n'
    async with Bot(several, accounts=(ONE,)) as bot:
        bot.simulator.add_account(ONE, "Assistant")
        bot.simulator.add_contact(ANN, "Ann")
        bot.simulator.add_room(EAST, "East customers", [ONE, ANN])
        await bot.pass_time(3)
        assert await known(bot) == {ONE: "Assistant", ANN: "Ann", EAST: "East customers"}
