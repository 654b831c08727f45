"""Echoes and failure events that come late, twice, or for an attempt that another has followed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from bots import (
    EAST,
    NORTH,
    ONE,
    REPLY,
    TWO,
    WEST,
    callback,
    entry,
    eventually,
    make_bot,
    receive,
    rule,
    states,
)
from sending.desk import LOST, Desk, ask_price, echo, fail, stand, start
from structlog.testing import capture_logs

from relay.errors import StorageError
from relay.store.values import Intent, Result
from relay.testing import Bot

EXPIRE_AFTER = 1_800_000


def answering(desk: Desk) -> Bot:
    return make_bot(REPLY, transport=desk, configured=True)


@rule
async def test_the_echo_of_a_retry_counts_though_the_attempt_before_it_came_back_too() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await echo(bot, "2", api_send_id=desk.id_of())
        await fail(bot, api_send_id=desk.id_of())
        desk.script = [LOST]
        await bot.store.retry([1], EXPIRE_AFTER)
        await bot.work()
        await echo(bot, "3", api_send_id=desk.id_of(1))
        await bot.pass_time(31)
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_a_failure_event_that_is_repeated_does_not_stop_the_retry() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await fail(bot, api_send_id=desk.id_of())
        await bot.store.retry([1], EXPIRE_AFTER)
        await fail(bot, api_send_id=desk.id_of())
        await bot.work()
        assert (len(desk.requests), await states(bot)) == (2, ["accepted"])


@rule
async def test_a_failure_event_for_the_attempt_before_does_not_speak_of_this_one() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await fail(bot, api_send_id=desk.id_of())
        desk.script = [LOST]
        await bot.store.retry([1], EXPIRE_AFTER)
        await bot.work()
        await fail(bot, api_send_id=desk.id_of())
        await echo(bot, "3", api_send_id=desk.id_of(1))
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_an_echo_tells_the_id_by_which_a_failure_event_speaks() -> None:
    desk = Desk(LOST)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await echo(bot, "2", api_send_id=desk.id_of(), api_send_svrid="a,b,c")
        await fail(bot, api_send_svrid="a,b,c")
        await bot.pass_time(61)
        assert await states(bot) == ["failed"]


@rule
async def test_two_echoes_in_one_callback_are_a_doubled_effect() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        both = [entry(svrid, "ten", from_wxid=ONE, api_send_id=desk.id_of()) for svrid in "89"]
        await bot.push(callback(*both))
        await bot.work()
        assert (await bot.store.counters())["duplicate_effect_total"] == 1


@rule
async def test_an_echo_that_overtakes_the_answer_lets_no_second_request_begin() -> None:
    desk = Desk()
    desk.closed = {"R:10950000000000001"}
    async with answering(desk) as bot:
        await ask_price(bot, "1")
        await ask_price(bot, "2")
        await bot.router.drain()
        for _ in range(20):
            await bot.sender.step()
            await asyncio.sleep(0)
        await echo_unseen(bot, desk)
        for _ in range(20):
            await bot.sender.step()
            await asyncio.sleep(0)
        begun = len(desk.on_their_way)
        desk.open()
        await bot.work()
        assert (begun, len(desk.requests)) == (1, 2)


async def echo_unseen(bot: Bot, desk: Desk) -> None:
    """The echo arrives, and only the sender's own steps look at it."""
    back = entry("9", "ten", from_wxid=ONE, api_send_id=desk.id_of())
    assert await bot.push(callback(back)) == 200


@rule
async def test_an_account_whose_requests_hang_leaves_room_for_others() -> None:
    desk = Desk()
    rooms = [f"R:{number}" for number in range(70)]
    desk.closed = set(rooms)
    async with make_bot(REPLY, accounts=(ONE, TWO), transport=desk, configured=True) as bot:
        for number, room in enumerate(rooms):
            await ask_price(bot, str(number), chat_wxid=room)
        await receive(bot, entry("x", "price", chat_wxid=NORTH), account=TWO)
        await bot.router.drain()
        for _ in range(50):
            await bot.sender.step()
            await asyncio.sleep(0)
        reached = [asked["wxid"] for asked in desk.requests].count(TWO)
        desk.open()
        await bot.work()
        assert reached == 1


@rule
async def test_a_clock_that_is_put_back_stops_no_account() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot, "1")
        await bot.work()
        bot.clock._now -= 3_600_000
        await ask_price(bot, "2")
        await bot.work()
        await bot.pass_time(60)
        assert len(desk.requests) == 2


@rule
async def test_results_that_the_disk_refuses_are_written_when_it_takes_them() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.router.drain()
        record, refusals = bot.store.record_results, [StorageError("full")] * 3

        async def refuse(results: Sequence[Result]) -> None:
            if refusals:
                raise refusals.pop()
            await record(results)

        with capture_logs() as logs:
            bot.store.record_results = refuse  # type: ignore[method-assign]
            draining = asyncio.create_task(bot.sender.drain())

            async def done_at_last() -> bool:
                bot.clock.jump(0.1)
                return draining.done()

            await eventually(done_at_last)
            await bot.pass_time(61)
        assert (await states(bot), len(desk.requests)) == (["delivered"], 1)
        assert [each["event"] for each in logs].count("results_not_recorded") == 3


@rule
async def test_a_write_that_the_disk_refuses_makes_nothing_unknown_that_is_on_its_way() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await bot.sender.drain()
        desk.closed = {EAST}
        await ask_price(bot)
        await start(bot, desk)
        await ask_price(bot, "2", chat_wxid=WEST)

        async def refuse(*_: object) -> list[Intent]:
            desk.open()
            raise StorageError("full")

        bot.store.record_intent = refuse  # type: ignore[assignment, method-assign]
        with pytest.raises(StorageError):
            await bot.sender.run(asyncio.Event())
        assert await states(bot) == ["accepted", "queued"]
