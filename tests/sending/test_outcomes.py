"""Every delivery ends in a state that tells the truth (contract 4.6)."""

from __future__ import annotations

from typing import Any

import pytest
from bots import EAST, MIRROR, NORTH, ONE, REPLY, TWO, WEST, callback, entry, make_bot, receive, rule, states
from sending.desk import LOST, UNSENT, Desk, ask_price, echo, fail, says, stand, start

from relay.testing import Bot

SHORT = "[delivery]\nmax_attempts = 1\n"


def answering(desk: Desk, toml: str = "") -> Bot:
    return make_bot(REPLY + toml, transport=desk, configured=True)


# -- sends ---------------------------------------------------------------------


@rule
async def test_what_was_accepted_and_not_spoken_against_is_delivered_after_a_while() -> None:
    async with answering(Desk()) as bot:
        await ask_price(bot)
        await bot.work()
        await bot.pass_time(59.9)
        assert await stand(bot) == [("accepted", "answer")]
        await bot.pass_time(0.1)
        assert await stand(bot) == [("delivered", "silence")]


def by_id(desk: Desk) -> dict[str, Any]:
    return {"api_send_id": desk.id_of()}


def by_svrid(desk: Desk) -> dict[str, Any]:
    return {"api_send_svrid": "s," + desk.id_of()}


def in_extra(desk: Desk) -> dict[str, Any]:
    return {"extra": {"api_send_id": desk.id_of()}}


@pytest.mark.parametrize("ids", [by_id, by_svrid, in_extra])
@rule
async def test_an_echo_is_known_by_either_of_its_ids_wherever_they_stand(ids: Any) -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await echo(bot, "2", **ids(desk))
        assert await stand(bot) == [("accepted", "echo")]
        await bot.pass_time(60)
        assert await stand(bot) == [("delivered", "echo")]


@pytest.mark.parametrize(("answered", "echoed"), [(123, 123), ("123", 123), (123, "123")])
@rule
async def test_an_id_is_the_same_as_a_number_and_as_a_string(answered: object, echoed: object) -> None:
    desk = Desk(says(0, data=[{"idx": 0, "api_send_svrid": answered}]))
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await echo(bot, "2", api_send_svrid=echoed)
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_an_echo_may_overtake_the_answer() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        await ask_price(bot)
        await start(bot, desk)
        await echo(bot, "2", **by_id(desk))
        assert await stand(bot) == [("accepted", "echo")]
        desk.open()
        await bot.work()
        assert await stand(bot) == [("accepted", "echo")]
        await fail(bot, **by_svrid(desk))
        assert await stand(bot) == [("failed", "answer")]


@rule
async def test_a_failure_event_may_overtake_the_answer_and_has_the_last_word() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        await ask_price(bot)
        await start(bot, desk)
        await fail(bot, **by_id(desk))
        desk.open()
        await bot.work()
        await echo(bot, "2", **by_id(desk))
        await bot.pass_time(120)
        assert await stand(bot) == [("failed", "answer")]


@pytest.mark.parametrize("quiet", [0, 30, 60, 86_400])
@rule
async def test_a_failure_event_fails_what_was_accepted_or_delivered_however_late(quiet: float) -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await bot.pass_time(quiet)
        await fail(bot, **by_id(desk))
        assert await stand(bot) == [("failed", "answer")]


@pytest.mark.parametrize(("account", "ids"), [("", by_id), ("", by_svrid), (ONE, by_svrid)])
@rule
async def test_a_failure_event_needs_no_account_where_it_has_an_id(account: str, ids: Any) -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await fail(bot, account, **ids(desk))
        assert await states(bot) == ["failed"]


@rule
async def test_a_failure_event_waits_for_the_answer_that_names_its_only_id() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        await ask_price(bot)
        await start(bot, desk)
        await fail(bot, **by_svrid(desk))
        assert await states(bot) == ["sending"]
        desk.open()
        await bot.work()
        assert await states(bot) == ["failed"]


@pytest.mark.parametrize(
    "ids",
    [
        {"api_send_id": "00000000-1.1"},
        {"api_send_id": 11},
        {"api_send_id": "1.1"},
        {"api_send_svrid": "another's"},
    ],
)
@rule
async def test_another_programs_ids_mean_nothing_to_us(ids: dict[str, Any]) -> None:
    async with answering(Desk()) as bot:
        await ask_price(bot)
        await bot.work()
        await fail(bot, **ids)
        await echo(bot, "2", **ids)
        assert await stand(bot) == [("accepted", "answer")]
        await bot.pass_time(60)
        assert (await bot.store.counters())["failure_unmatched_total"] == 1


@rule
async def test_an_unknown_outcome_is_settled_by_its_echo() -> None:
    desk = Desk(LOST)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        assert await stand(bot) == [("unknown", None)]
        await echo(bot, "2", **by_id(desk))
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_an_unknown_outcome_without_an_echo_is_held_and_a_late_echo_still_counts() -> None:
    desk = Desk(LOST)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await bot.pass_time(29.9)
        assert await states(bot) == ["unknown"]
        await bot.pass_time(0.1)
        assert await states(bot) == ["held"]
        await echo(bot, "2", **by_id(desk))
        assert await stand(bot) == [("accepted", "echo")]
        assert len(desk.requests) == 1


@pytest.mark.parametrize("word", ["echo", "failure", "failure, then echo"])
@pytest.mark.parametrize(("seconds", "state"), [(0, "queued"), (1800, "expired")])
@rule
async def test_late_truth_about_an_earlier_attempt(seconds: float, state: str, word: str) -> None:
    desk = Desk(UNSENT)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.sender.drain()
        bot.clock.jump(seconds)
        await bot.store.settle_due()
        assert await states(bot) == [state]
        if "failure" in word:
            await fail(bot, **by_id(desk))
        if "echo" in word:
            await echo(bot, "2", **by_id(desk))
        assert await states(bot) == ["failed" if "failure" in word else "accepted"]


@rule
async def test_late_truth_about_what_was_given_up() -> None:
    desk = Desk(UNSENT)
    async with answering(desk, SHORT) as bot:
        await ask_price(bot)
        await bot.work()
        assert await states(bot) == ["failed"]
        await echo(bot, "2", **by_id(desk))
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_a_second_echo_of_one_delivery_is_counted_not_hidden() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await echo(bot, "2", **by_id(desk))
        await echo(bot, "3", **by_id(desk))
        assert (await bot.store.counters())["duplicate_effect_total"] == 1


@rule
async def test_what_was_on_its_way_when_the_sender_died_is_unknown_and_then_held() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        await ask_price(bot)
        await start(bot, desk)
        dead = bot.sender
        await bot.restart()
        await bot.work()
        assert await stand(bot) == [("unknown", None)]
        await bot.pass_time(30)
        assert await states(bot) == ["held"]
        assert len(desk.requests) == 1
        await dead._requests.cancel()


# -- several sends in one request ----------------------------------------------


BATCH = "[delivery]\nsend_batch = 2\n"


async def ask_twice(bot: Bot) -> None:
    await receive(bot, entry("1", "price 1"), entry("2", "price 2"))
    await bot.router.drain()


@rule
async def test_fewer_idx_than_messages_leave_all_unknown_and_fail_what_does_not_come_back() -> None:
    desk = Desk(says(0, data=[{"idx": 0, "api_send_svrid": "s"}]))
    async with answering(desk, BATCH) as bot:
        await ask_twice(bot)
        await bot.work()
        assert await states(bot) == ["unknown", "unknown"]
        await echo(bot, "2e", api_send_id=desk.id_of(message=1))
        await bot.pass_time(30)
        assert await states(bot) == ["failed", "accepted"]


@rule
async def test_a_batch_of_sends_that_is_refused_goes_out_one_by_one() -> None:
    desk = Desk(says(406), says(406))
    async with answering(desk, BATCH) as bot:
        await ask_twice(bot)
        await bot.work()
        assert [len(asked["messages"]) for asked in desk.requests] == [2, 1, 1]
        assert await states(bot) == ["failed", "accepted"]


# -- forwards ------------------------------------------------------------------


async def forwarded(bot: Bot, *texts: str) -> None:
    await receive(bot, *(entry(f"{n}", text) for n, text in enumerate(texts)))
    await bot.work()


async def come_back(bot: Bot, svrid: str, text: str, **more: Any) -> None:
    said = entry(svrid, text, **{"chat_wxid": WEST, "from_wxid": ONE, **more})
    await bot.push(callback(said, account=more.get("wxid", ONE)))
    await bot.sender._settle_signals()


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        ({"items": [{"type": "text", "text": "b"}]}, "echo"),
        ({"items": [{"text": "b", "type": "text"}]}, "echo"),  # the same, spelled otherwise
        ({"items": [{"type": "text", "text": "c"}]}, "answer"),
    ],
)
@rule
async def test_the_echo_of_a_forward_is_known_by_its_content(content: object, evidence: str) -> None:
    async with make_bot(MIRROR, transport=Desk(), configured=True) as bot:
        await forwarded(bot, "a", "b")
        await come_back(bot, "e", "", content=content)
        assert await stand(bot) == [("accepted", "answer"), ("accepted", evidence)]


@rule
async def test_an_echo_that_fits_two_forwards_settles_neither() -> None:
    async with make_bot(MIRROR, transport=Desk(), configured=True) as bot:
        await forwarded(bot, "a", "a")
        await come_back(bot, "e", "a")
        assert await stand(bot) == [("accepted", "answer")] * 2


@rule
async def test_a_forward_of_unknown_outcome_holds_back_the_next_so_that_its_echo_is_unmistakable() -> None:
    async with make_bot(MIRROR, transport=Desk(LOST), configured=True) as bot:
        await forwarded(bot, "a", "a")
        assert await stand(bot) == [("unknown", None), ("queued", None)]
        await come_back(bot, "e", "a")
        await bot.work()
        assert await stand(bot) == [("accepted", "echo"), ("accepted", "answer")]


@pytest.mark.parametrize(
    "other",
    [
        {"chat_wxid": NORTH},
        {"wxid": TWO, "from_wxid": TWO},
        {"msg_type": "link"},
        {"api_send_id": "another's"},
        {"api_send_svrid": "another's"},
    ],
)
@rule
async def test_what_is_not_from_there_is_no_echo(other: dict[str, Any]) -> None:
    async with make_bot(MIRROR, transport=Desk(), configured=True) as bot:
        await forwarded(bot, "a")
        await come_back(bot, "e", "a", **other)
        assert await stand(bot) == [("accepted", "answer")]


@rule
async def test_a_late_echo_revives_a_forward_that_is_held() -> None:
    async with make_bot(MIRROR, transport=Desk(LOST), configured=True) as bot:
        await forwarded(bot, "a")
        await bot.pass_time(30)
        assert await states(bot) == ["held"]
        await come_back(bot, "e", "a")
        assert await stand(bot) == [("accepted", "echo")]


@rule
async def test_what_never_left_has_no_echo() -> None:
    """Staff may type the very words of a forward that was refused."""
    async with make_bot(MIRROR, transport=Desk(says(406)), configured=True) as bot:
        await forwarded(bot, "a")
        await come_back(bot, "e", "a")
        assert await states(bot) == ["failed"]
