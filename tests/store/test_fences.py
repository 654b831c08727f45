"""A write that was decided on what is no longer so changes nothing."""

from __future__ import annotations

import pytest
from bots import ANN, EAST, MIRROR, ONE, REPLY, TWO, WEST, entry, make_bot, receive, rule, states

from relay.sending.outcomes import api_send_id
from relay.store.states import AttemptOutcome, DeliveryState, Evidence
from relay.store.values import Conclusion, Result, Tracked, Verdict
from relay.testing import Bot


async def queued() -> Bot:
    """A bot with one forward in its outbox that nobody has sent."""
    bot = make_bot(MIRROR, configured=True)
    bot.simulator.say(EAST, ANN, "hello")
    await bot.simulator.settle()
    await bot.router.drain()
    return bot


@rule
async def test_what_expires_between_the_look_and_the_intent_is_not_sent() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        line = (await bot.store.due(1))[0]
        bot.clock.jump(3600)
        assert await bot.store.record_intent(line, epoch) == []
        assert await states(bot) == ["queued"]


@rule
async def test_what_lost_its_place_between_the_look_and_the_intent_is_not_sent_by_the_place_it_had() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        line = (await bot.store.due(1))[0]
        bot.clock.jump(3600)
        await bot.store.settle_due()
        bot.simulator.say(EAST, ANN, "and another")
        await bot.simulator.settle()
        await bot.router.drain()
        await bot.store.retry([1], 1_800_000)
        assert await bot.store.record_intent(line, epoch) == []


@rule
async def test_what_is_retried_between_the_setting_of_the_clock_and_its_notice_is_due_at_once() -> None:
    async with await queued() as bot:
        bot.clock.jump(3600)
        await bot.store.settle_due()
        bot.clock.set_by(3600)
        await bot.store.retry([1], 1_800_000)
        bot.clock.jump(0.1)
        await bot.store.shift(3_600_000)
        assert [line[0].id for line in await bot.store.due(1)] == [1]


@rule
async def test_a_verdict_on_a_delivery_that_moved_meanwhile_changes_nothing() -> None:
    async with await queued() as bot:
        await bot.store.discard([1])
        await receive(bot, entry("9", from_wxid=ONE, chat_wxid=WEST))
        (signal,) = await bot.store.signals((0, 0), 10)
        judged = Tracked(1, DeliveryState.QUEUED, 0, None, False, None, 1, False, False)
        await bot.store.settle([Verdict(signal, judged, DeliveryState.ACCEPTED, Evidence.ECHO)], 60_000)
        assert await states(bot) == ["discarded"]


@rule
async def test_a_verdict_on_an_attempt_that_another_followed_changes_nothing() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        await bot.store.record_intent((await bot.store.due(1))[0], epoch)
        await receive(bot, entry("9", from_wxid=ONE, chat_wxid=WEST))
        (signal,) = await bot.store.signals((0, 0), 10)
        judged = Tracked(1, DeliveryState.SENDING, 7, None, False, None, 7, False, False)
        await bot.store.settle([Verdict(signal, judged, DeliveryState.ACCEPTED, Evidence.ECHO)], 60_000)
        assert await states(bot) == ["sending"]


@rule
async def test_an_id_of_ours_at_another_account_names_no_delivery() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        await bot.store.record_intent((await bot.store.due(1))[0], epoch)
        assert await bot.store.by_api_send_id(1, 1, ONE) is not None
        assert await bot.store.by_api_send_id(1, 1, TWO) is None


@rule
async def test_what_one_sender_has_settled_another_does_not_count_as_a_second_effect() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        await bot.store.record_intent((await bot.store.due(1))[0], epoch)
        await receive(bot, entry("9", from_wxid=ONE, chat_wxid=WEST, content={"items": []}))
        (signal,) = await bot.store.signals((0, 0), 10)
        about = await bot.store.by_api_send_id(1, 1, ONE)
        verdict = Verdict(signal, about, DeliveryState.ACCEPTED, Evidence.ECHO)
        assert await bot.store.settle([verdict], 60_000) == []
        again = Verdict(signal, await bot.store.by_api_send_id(1, 1, ONE))
        assert await bot.store.settle([again], 60_000) == []
        assert "duplicate_effect_total" not in await bot.store.counters()


@rule
async def test_an_answer_that_is_cut_off_takes_no_name_from_an_attempt_that_its_echo_gave_it() -> None:
    async with await queued() as bot:
        epoch = await bot.store.begin_sending(30_000)
        await bot.store.record_intent((await bot.store.due(1))[0], epoch)
        await receive(bot, entry("9", from_wxid=ONE, chat_wxid=WEST, api_send_svrid="77"))
        (signal,) = await bot.store.signals((0, 0), 10)
        about = await bot.store.by_api_send_id(1, 1, ONE)
        await bot.store.settle([Verdict(signal, about, DeliveryState.ACCEPTED, Evidence.ECHO)], 60_000)
        cut = Result(1, 1, AttemptOutcome.UNKNOWN, DeliveryState.UNKNOWN, "cut", settle_at=1)
        await bot.store.record_results([cut])
        assert await bot.store.by_api_send_svrid("77", ONE) is not None


@pytest.mark.parametrize("toml", [MIRROR, REPLY])
@rule
async def test_nothing_is_concluded_of_what_came_back_and_was_not_judged_yet(toml: str) -> None:
    async with make_bot(toml, configured=True) as bot:
        await receive(bot, entry("1", "price"))
        await bot.router.drain()
        epoch = await bot.store.begin_sending(30_000)
        await bot.store.record_intent((await bot.store.due(1))[0], epoch)
        await bot.store.begin_sending(30_000)
        bot.clock.jump(30)
        ids = {"api_send_id": api_send_id(bot.store.origin, 1, 1)} if toml is REPLY else {}
        chat = EAST if toml is REPLY else WEST
        await receive(bot, entry("9", "price", from_wxid=ONE, chat_wxid=chat, **ids))
        await bot.receiver.taken_in()
        assert await bot.store.conclude([Conclusion(1, 1, DeliveryState.QUEUED, "absent")]) == []
        assert await states(bot) == ["unknown"]
