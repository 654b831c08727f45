"""What was said while nobody listened is fetched, and nothing is concluded from such a silence."""

from __future__ import annotations

import pytest
from bots import (
    ANN,
    BEN,
    EAST,
    MIRROR,
    ONE,
    REPLY,
    ROOMS,
    TWO,
    WEST,
    deliveries,
    entry,
    make_bot,
    messages,
    receive,
    rule,
    said,
    states,
)
from sending.desk import stand
from sending.silence import AFTER_THE_GAP, LOG, SEND, be_deaf, beat, greet, listen, log_calls, miss
from structlog.testing import capture_logs

from relay.sending import history
from relay.simulator.fault import Fault, Kind, When
from relay.store.sqlite import gaps


@rule
async def test_what_was_said_while_nobody_listened_is_mirrored_once_and_in_order() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, "one", "two", "three")
        assert said(bot, WEST) == ["hello", "one", "two", "three"]
        await be_deaf(bot, seconds=30)
        assert said(bot, WEST) == ["hello", "one", "two", "three"]


@pytest.mark.parametrize(("late", "answers"), [("", 0), ('late = "skip"', 0), ('late = "act"', 1)])
@rule
async def test_a_late_message_is_answered_only_where_the_rule_says_so(late: str, answers: int) -> None:
    async with make_bot(REPLY + late, configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, "price")
        assert said(bot, EAST).count("ten") == answers
        (found,) = [row for row in await messages(bot) if row["late"]]
        reasons = [line["reason"] for line in await bot.store.trace(int(str(found["id"])[1:]))]
        assert ('late, and late = "skip"' in reasons) is (answers == 0)


@rule
async def test_a_route_may_skip_what_is_late() -> None:
    async with make_bot(MIRROR + 'late = "skip"\n', configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, "one")
        assert said(bot, WEST) == ["hello"]


@rule
async def test_what_is_too_late_expires_as_if_it_had_been_heard_when_it_was_said() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, "one", seconds=3_700)
        assert ((await states(bot))[-1], said(bot, WEST)) == ("expired", ["hello"])


@rule
async def test_a_message_whose_callback_comes_after_all_is_acted_on_once() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await beat(bot)
        bot.clock.jump(30)
        bot.simulator.faults.add(Fault(Kind.LATE, seconds=90))
        bot.simulator.say(EAST, ANN, "one")
        bot.clock.jump(30)
        await beat(bot)
        await listen(bot, AFTER_THE_GAP)
        assert said(bot, WEST) == ["hello", "one"]
        await listen(bot, 60)
        assert said(bot, WEST) == ["hello", "one"]


@rule
async def test_a_room_is_fetched_once_however_many_of_ours_are_in_it() -> None:
    async with make_bot(accounts=(ONE, TWO), configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, "one")
        assert (log_calls(bot), [row["text"] for row in await messages(bot)].count("one")) == (1, 1)


@rule
async def test_a_room_whose_acting_account_is_told_nothing_is_fetched_by_another_of_ours() -> None:
    async with make_bot(MIRROR, accounts=(ONE, TWO), configured=True) as bot:
        await greet(bot, EAST)
        await beat(bot)
        bot.clock.jump(30)
        bot.simulator.faults.add(Fault(Kind.DROP, times=None))
        bot.simulator.say(EAST, ANN, "one")
        await bot.simulator.settle()
        bot.simulator.faults.clear()
        bot.clock.jump(30)
        await beat(bot)
        for _ in range(2):  # with the last svrid, and without
            bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LOG, errcode=406, target=EAST))
        await listen(bot, AFTER_THE_GAP + 10)
        assert said(bot, WEST) == ["hello", "one"]


@rule
async def test_chats_where_somebody_spoke_last_are_fetched_first_and_within_the_budget() -> None:
    rooms = {f"R:{number}": (ONE, ANN, BEN) for number in range(6)}
    toml = MIRROR + "[delivery]\nrepair_calls_per_minute = 2\n"
    async with make_bot(toml, rooms={**rooms, **ROOMS}, configured=True) as bot:
        for room in rooms:
            await greet(bot, room)
            bot.clock.jump(1)
        await be_deaf(bot, "missed", chat="R:5")
        assert log_calls(bot) <= 4  # what is on its way together
        assert [row["text"] for row in await messages(bot)].count("missed") == 1
        await listen(bot, 180)
        assert log_calls(bot) == 6


@rule
async def test_a_repair_goes_on_where_the_sender_died() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await beat(bot)
        bot.clock.jump(30)
        await miss(bot, EAST, "one")
        bot.clock.jump(30)
        await beat(bot)
        await bot.restart()
        await listen(bot, AFTER_THE_GAP)
        assert said(bot, WEST) == ["hello", "one"]


@rule
async def test_a_chat_whose_log_cannot_be_read_lets_others_go_first_and_is_given_up_at_last() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await greet(bot, WEST)
        broken = Fault(Kind.NOT_JSON, path=LOG, target=WEST, times=None)
        bot.simulator.faults.add(broken)
        await beat(bot)
        bot.clock.jump(30)
        bot.simulator.faults.add(Fault(Kind.DROP))
        bot.simulator.say(EAST, ANN, "one")
        await bot.simulator.settle()
        bot.clock.jump(30)
        await beat(bot)
        await listen(bot, AFTER_THE_GAP + 10)
        assert "one" in [row["text"] for row in await messages(bot)]
        with capture_logs() as logs:
            for _ in range(30):
                await bot.pass_time(60)
        assert [each["chat"] for each in logs if each["event"] == "gap_not_repaired"] == [WEST]
        assert await bot.store.repairs(1) == []


@rule
async def test_callbacks_that_were_lost_make_a_gap() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await listen(bot, 2)
        await miss(bot, EAST, "one")
        await bot.store.count("lost_total", 1)
        await listen(bot, AFTER_THE_GAP + 1)
        assert said(bot, WEST) == ["hello", "one"]


@rule
async def test_a_receiver_that_gives_signs_of_life_makes_no_gap() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await listen(bot, 30)
        assert log_calls(bot) == 0


@rule
async def test_a_receiver_that_was_killed_makes_a_gap_however_soon_another_follows() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await bot.store.beat("receiver", 2, {})
        await miss(bot, EAST, "one")
        await listen(bot, 3 + 1 + AFTER_THE_GAP)
        assert said(bot, WEST) == ["hello", "one"]
        before = log_calls(bot)
        await listen(bot, 20)
        assert log_calls(bot) == before


@pytest.mark.parametrize("seconds", [1, 60])
@rule
async def test_a_time_without_a_receiver_is_one_gap_however_short_it_was(seconds: int) -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await beat(bot)
        await bot.store.leave("receiver", 1)
        bot.clock.jump(seconds)
        await miss(bot, EAST, "one")
        bot.clock.jump(seconds)
        await bot.store.beat("receiver", 2, {})
        with capture_logs() as log:
            await listen(bot, AFTER_THE_GAP)
        assert said(bot, WEST) == ["hello", "one"]
        assert [line["seconds"] for line in log if line["event"] == "gap_found"] == [2 * seconds]


@rule
async def test_a_receiver_that_ends_in_order_makes_no_gap() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await bot.store.beat("receiver", 2, {})
        await beat(bot)
        await bot.store.leave("receiver", 2)
        await listen(bot, 20)
        assert log_calls(bot) == 0


@rule
async def test_an_echo_that_is_fetched_is_no_word_of_staff_though_it_has_settled_its_forward() -> None:
    async with make_bot(MIRROR + "include_own = true\n", configured=True) as bot:
        await greet(bot, EAST, WEST)
        await listen(bot, 70)
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True, times=None))
        bot.simulator.say(EAST, ANN, "one")
        await bot.work()
        bot.simulator.faults.clear()
        bot.clock.jump(1_200)
        await beat(bot)
        bot.clock.jump(AFTER_THE_GAP)
        await beat(bot)
        await bot.sender.drain()  # before the router looks at what was fetched
        await listen(bot, 5)
        assert (said(bot, EAST).count("one"), said(bot, WEST).count("one")) == (1, 1)


# -- silence -------------------------------------------------------------------


@rule
async def test_silence_confirms_nothing_while_nobody_listens() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        await beat(bot)
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True))
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        await bot.pass_time(120)
        assert await states(bot) == ["accepted"]
        await beat(bot)
        await listen(bot, 58)
        assert await states(bot) == ["accepted"]
        await listen(bot, 3)
        assert await states(bot) == ["delivered"]


@rule
async def test_absence_is_not_proven_by_a_time_in_which_nobody_listened() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        await beat(bot)
        bot.simulator.faults.add(Fault(Kind.CLOSE, when=When.BEFORE, path=SEND))
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        await bot.pass_time(20)
        await beat(bot)
        bot.simulator.say(WEST, BEN, "hello")
        await listen(bot, 45)
        (row,) = await deliveries(bot)
        assert (row["state"], said(bot, EAST)) == ("held", ["price"])


# -- a clock that is set -------------------------------------------------------


@rule
async def test_what_took_effect_twice_is_told_with_both_messages() -> None:
    """Blind retries may double: then it is said which two messages they were."""
    async with make_bot(REPLY + '[delivery]\non_unknown_send = "retry_blind"\n', configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.CLOSE, when=When.AFTER, path=SEND))
        bot.simulator.faults.add(Fault(Kind.LATE, echoes_only=True, seconds=45))
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LOG, errcode=406, times=2))
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        await bot.pass_time(30)
        with capture_logs() as logs:
            await bot.pass_time(60)
        (told,) = [each for each in logs if each["event"] == "duplicate_effect"]
        assert {told["first"], told["second"]} == {row["id"] for row in await messages(bot) if row["own"]}
        assert (await stand(bot), (await bot.store.counters())["duplicate_effect_total"]) == (
            [("delivered", "echo")],
            1,
        )


@rule
async def test_where_there_are_too_many_chats_those_are_fetched_where_somebody_spoke_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the first by their ids: rooms, whose ids come last, would never be fetched."""
    monkeypatch.setattr(gaps, "MOST_CHATS", 2)
    async with make_bot(MIRROR, configured=True) as bot:
        for person in (ANN, BEN):
            await receive(bot, entry(person, chat_wxid=person, from_wxid=person))
        bot.clock.jump(1)
        await greet(bot, EAST)
        await be_deaf(bot, "one")
        assert said(bot, WEST) == ["hello", "one"]


@rule
async def test_a_chat_in_which_more_was_said_than_is_read_at_once_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "MOST_PAGES", 2)
    monkeypatch.setattr(history, "PAGE_SIZE", 2)
    async with make_bot(MIRROR, configured=True) as bot:
        await greet(bot, EAST)
        await be_deaf(bot, *"abcdefg")
        assert said(bot, WEST) == ["hello", *"abcdefg"]
        assert await bot.store.repairs(1) == []


@rule
async def test_calls_that_are_refused_together_make_one_rest() -> None:
    rooms = {f"R:{number}": (ONE, BEN) for number in range(4)}
    async with make_bot(REPLY, rooms=rooms, configured=True) as bot:
        await greet(bot, *rooms)
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LOG, errcode=407, times=None))
        with capture_logs() as logs:
            await beat(bot)
            bot.clock.jump(60)
            await beat(bot)
            for _ in range(8):
                await bot.pass_time(1)
        assert [each["seconds"] for each in logs if each["event"] == "log_not_told"] == [10]
