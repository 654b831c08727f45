"""Nothing of our own, and every source message once (contract 4.2 and 4.3)."""

from __future__ import annotations

from typing import Any

import pytest
from bots import (
    ANN,
    BEN,
    EAST,
    MIRROR,
    ONE,
    TWO,
    WEST,
    Row,
    deliveries,
    entry,
    make_bot,
    messages,
    receive,
    rule,
)

from relay.testing import Bot

WX = "7000000000000000001"


def ours(*accounts: str) -> Bot:
    """A bot that mirrors East and West and knows these accounts as its own."""
    return make_bot(MIRROR, accounts=accounts, configured=True)


async def fates(bot: Bot) -> list[str]:
    """State and, where there is one, reason of every message, oldest first."""
    return [str(row["reason"] or row["state"]) for row in await messages(bot)]


# -- own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (ONE, {"from_wxid": ONE}),
        (ONE, {"from_wxid": TWO}),
        (ONE, {"api_send_id": "x-1.1"}),
        (ONE, {"api_send_id": 7}),
        (ONE, {"api_send_svrid": "1,2,3"}),
        (ONE, {"extra": {"api_send_svrid": "1,2,3"}}),
    ],
)
@rule
async def test_what_our_accounts_say_is_own_and_reaches_nobody(account: str, said: Row) -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1", **said), account=account)
        await bot.work()
        assert await fates(bot) == ["own"]
        assert [row["own"] for row in await messages(bot)] == [True]
        assert await deliveries(bot) == []


@rule
async def test_nothing_is_routed_before_our_accounts_are_known() -> None:
    async with make_bot(MIRROR) as bot:
        await receive(bot, entry("1"))
        await bot.router.drain()
        assert await fates(bot) == ["waiting"]
        await bot.work()
        assert await fates(bot) == ["routed"]


@rule
async def test_an_empty_listing_makes_no_account_known() -> None:
    async with make_bot(MIRROR, accounts=()) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        assert await fates(bot) == ["waiting"]
        bot.simulator.add_account(ONE, "one")
        await bot.pass_time(10)
        assert (await fates(bot))[0] == "routed"


@pytest.mark.parametrize("missing", [{"chat_wxid": ""}, {"from_wxid": None}, {"from_wxid": ""}])
@rule
async def test_what_does_not_say_who_and_where_is_skipped_for_it_might_be_ours(missing: Row) -> None:
    async with ours(ONE) as bot:
        await receive(bot, entry("1", **missing), entry("2"))
        await bot.work()
        skipped, routed = await fates(bot)
        assert (skipped[:15], routed) == ("it does not say", "routed")


@rule
async def test_what_is_older_than_the_memory_is_not_acted_on() -> None:
    async with ours(ONE) as bot:
        now, half_a_year = bot.clock.now(), 180 * 86_400_000
        await receive(bot, entry("1", msg_time=now - half_a_year - 1), entry("2", msg_time=now - half_a_year))
        await bot.work()
        assert (await fates(bot))[:2] == ["older than storage.remember", "routed"]


# -- once ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"wx_svrid": WX}, {"wx_svrid": WX, "content": {"spelled": "anew"}, "msg_time": 1_700_000_000_005}),
        ({}, {}),
        ({"wx_svrid": WX}, {}),
        ({}, {"wx_svrid": WX}),
    ],
)
@rule
async def test_what_two_accounts_heard_is_acted_on_once(first: Row, second: Row) -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1", **first))
        await receive(bot, entry("2", **second), account=TWO)
        await bot.pass_time(10)
        assert (await fates(bot))[:2] == ["routed", "copy of m1"]
        assert len(await deliveries(bot)) == 1


@pytest.mark.parametrize(
    "difference", [{"wx_svrid": "8"}, {"text": "ho"}, {"msg_time": 1_700_000_000_005}, {"from_wxid": BEN}]
)
@rule
async def test_what_differs_is_not_the_same_message(difference: Row) -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1", wx_svrid=WX if "wx_svrid" in difference else None))
        await receive(bot, entry("2", **difference), account=TWO)
        await bot.pass_time(10)
        assert (await fates(bot))[:2] == ["routed", "routed"]


@pytest.mark.parametrize("ids", [(None, None), ("7", "8")])
@rule
async def test_two_alike_at_one_account_are_two(ids: tuple[str | None, str | None]) -> None:
    async with ours(ONE) as bot:
        await receive(bot, entry("1", wx_svrid=ids[0]), entry("2", wx_svrid=ids[1]))
        await bot.work()
        assert (await fates(bot))[:2] == ["routed", "routed"]


@rule
async def test_without_wx_svrid_the_third_copy_here_is_the_third_copy_there() -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1"), entry("2"))
        await receive(bot, entry("11"), entry("12"), entry("13"), account=TWO)
        await receive(bot, entry("3"))
        await bot.pass_time(10)
        alike = ["routed", "routed", "copy of m1", "copy of m2", "copy of m6", "routed"]
        assert (await fates(bot))[:6] == alike


@rule
async def test_in_private_each_account_is_told_separately() -> None:
    async with make_bot(MIRROR.replace(EAST, ANN), accounts=(ONE, TWO), configured=True) as bot:
        await receive(bot, entry("1", chat_wxid=ANN, wx_svrid=WX))
        await receive(bot, entry("2", chat_wxid=ANN, wx_svrid=WX), account=TWO)
        await bot.work()
        assert (await fates(bot))[:2] == ["routed", "routed"]


@rule
async def test_a_repeat_after_a_restart_is_still_a_repeat() -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        await bot.restart()
        await receive(bot, entry("1"))
        await receive(bot, entry("2"), account=TWO)
        await bot.pass_time(3600)
        found = [row["reason"] for row in await messages(bot) if row["sender"] == ANN]
        assert found == [None, "copy of m1"]


# -- who acts ------------------------------------------------------------------


async def acting(bot: Bot) -> list[Any]:
    return await bot.store._db.read(lambda db: db.execute("SELECT chat, acting FROM rooms").fetchall())


@rule
async def test_the_first_of_ours_that_is_heard_in_a_room_acts_there() -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("2"), account=TWO)
        await receive(bot, entry("1"))
        await bot.work()
        assert await acting(bot) == [(EAST, TWO)]
        assert [row["account"] for row in await deliveries(bot)] == [TWO]


@rule
async def test_a_copy_waits_five_seconds_for_the_acting_accounts_own() -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        await receive(bot, entry("12", "again"), account=TWO)
        await bot.pass_time(4.999)
        assert [row["state"] for row in await messages(bot) if row["svrid"] == "12"] == ["waiting"]
        await receive(bot, entry("2", "again"))
        await bot.work()
        assert [row["account"] for row in await deliveries(bot)] == [ONE, ONE]
        assert await acting(bot) == [(EAST, ONE)]


@pytest.mark.parametrize("restart", [False, True])
@rule
async def test_where_the_acting_account_stays_silent_the_other_one_acts_from_then_on(restart: bool) -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        await receive(bot, entry("12", "again"), account=TWO)
        await bot.work()
        if restart:
            await bot.restart()
        await bot.pass_time(5)
        assert [row["account"] for row in await deliveries(bot)] == [ONE, TWO]
        await receive(bot, entry("13", "once more"), account=TWO)
        await bot.work()
        assert [row["account"] for row in await deliveries(bot)] == [ONE, TWO, TWO]
        assert await acting(bot) == [(EAST, TWO)]


@rule
async def test_a_backlog_is_looked_through_before_a_copy_acts_for_a_silent_account() -> None:
    async with ours(ONE, TWO) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        await receive(bot, entry("12", "again"), account=TWO)
        await receive(bot, *(entry(f"f{n}", chat_wxid=f"R:9{n}") for n in range(600)))
        await receive(bot, entry("2", "again"))
        bot.clock.jump(60)  # the router was away
        await bot.router.drain()
        found = {row["svrid"]: row["state"] for row in await messages(bot)}
        assert (found["2"], found["12"]) == ("routed", "skipped")
        assert (EAST, ONE) in await acting(bot)


@rule
async def test_what_came_while_the_router_was_away_is_routed_once_and_in_order() -> None:
    async with ours(ONE, TWO) as bot:
        for n in range(5):
            await receive(bot, entry(f"1{n}", f"{n}"))
            await receive(bot, entry(f"2{n}", f"{n}"), account=TWO)
        await bot.restart()
        await bot.pass_time(60)
        routed = [row["text"] for row in await messages(bot) if row["state"] == "routed"]
        assert routed == ["0", "1", "2", "3", "4"]
        assert {row["target"] for row in await deliveries(bot)} == {WEST}
