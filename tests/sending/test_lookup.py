"""What became of a request that was never answered: the echo tells, then the log, then its proven silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from bots import ANN, BEN, EAST, MIRROR, ONE, REPLY, WEST, deliveries, make_bot, rule, said, states
from sending.desk import stand
from sending.silence import listen

from relay.simulator.fault import Fault, Kind, When
from relay.testing import Bot

SEND, FORWARD, LOG = "/wechat/sendMessage", "/wechat/forwardMsg", "/wechat/chatLogs"
DONE, UNDONE = When.AFTER, When.BEFORE
RETRY_FORWARDS = '[delivery]\non_unknown_forward = "retry"\n'


async def ask(bot: Bot, text: str = "price") -> None:
    """A customer says what the keyword rule answers."""
    bot.simulator.say(EAST, ANN, text)
    await bot.work()


def lose(bot: Bot, path: str, when: When, *, times: int = 1) -> None:
    """Let the platform hang up on a call, before or after it did what it should, and let its echo be lost."""
    bot.simulator.faults.add(Fault(Kind.CLOSE, when=when, path=path, times=times))
    if when is DONE:
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True, times=times))


def log_calls(bot: Bot) -> int:
    return sum(1 for each in bot.simulator.ledger.requests if each.path == LOG)


@rule
async def test_a_send_that_took_effect_is_found_in_the_log() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        await bot.pass_time(30)
        assert await stand(bot) == [("accepted", "log")]
        assert said(bot, EAST) == ["price", "ten"]


@rule
async def test_a_forward_that_took_effect_is_found_in_the_log_by_its_content() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        lose(bot, FORWARD, DONE)
        await ask(bot)
        await bot.pass_time(30)
        assert await stand(bot) == [("accepted", "log")]
        assert said(bot, WEST) == ["price"]


@rule
async def test_nothing_is_asked_before_the_echo_was_waited_for() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        await bot.pass_time(29.9)
        assert (await states(bot), log_calls(bot)) == (["unknown"], 0)


@rule
async def test_a_send_is_tried_again_once_the_log_reaches_past_it() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(10)
        bot.simulator.say(EAST, BEN, "anybody there?")
        await bot.pass_time(20)
        assert await stand(bot) == [("accepted", "echo")]
        assert said(bot, EAST) == ["price", "anybody there?", "ten"]


@rule
async def test_silence_of_the_log_is_proof_the_second_time_if_callbacks_came_meanwhile() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(10)
        bot.simulator.say(WEST, BEN, "hello")
        await bot.pass_time(20)
        assert (await states(bot), said(bot, EAST)) == (["unknown"], ["price"])
        await bot.pass_time(30)
        assert (await states(bot), said(bot, EAST)) == (["accepted"], ["price", "ten"])


@rule
async def test_silence_of_the_log_is_no_proof_where_no_callback_came() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(30)
        await bot.pass_time(30)
        (row,) = await deliveries(bot)
        assert (row["state"], said(bot, EAST)) == ("held", ["price"])
        assert str(row["error"]).endswith("not in the platform's log, which does not reach past it")


@pytest.mark.parametrize(("toml", "state"), [("", "held"), (RETRY_FORWARDS, "accepted")])
@rule
async def test_a_forward_whose_absence_is_proven_waits_for_a_person_unless_told_otherwise(
    toml: str, state: str
) -> None:
    async with make_bot(MIRROR.replace("between", "enabled = true\nbetween") + toml, configured=True) as bot:
        lose(bot, FORWARD, UNDONE)
        await ask(bot)
        await bot.pass_time(10)
        bot.simulator.say(WEST, ONE, "typed on the phone")
        await bot.pass_time(20)
        assert await states(bot) == [state]


@rule
async def test_hold_holds_even_what_is_proven_absent() -> None:
    async with make_bot(REPLY + '[delivery]\non_unknown_send = "hold"\n', configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(10)
        bot.simulator.say(EAST, BEN, "anybody there?")
        await bot.pass_time(20)
        (row,) = await deliveries(bot)
        assert (row["state"], str(row["error"]).rpartition("; ")[2]) == ("held", "not in the platform's log")


@rule
async def test_a_blind_retry_needs_no_proof_but_still_looks() -> None:
    async with make_bot(REPLY + '[delivery]\non_unknown_send = "retry_blind"\n', configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(30)
        assert (log_calls(bot), said(bot, EAST)) == (1, ["price", "ten"])
        lose(bot, SEND, DONE)
        await ask(bot, "price 2")
        await bot.pass_time(30)
        assert said(bot, EAST) == ["price", "ten", "price 2", "ten"]


@rule
async def test_what_is_sent_again_keeps_its_place_in_line() -> None:
    toml = REPLY.replace('reply = "ten"', 'reply = "{text}!"')
    async with make_bot(toml, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot, "price 1")
        await ask(bot, "price 2")
        await bot.pass_time(10)
        bot.simulator.say(EAST, BEN, "anybody there?")
        await bot.pass_time(20)
        assert [text for text in said(bot, EAST) if text.endswith("!")] == ["price 1!", "price 2!"]


@rule
async def test_an_unknown_holds_up_its_own_chat_and_no_other() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        await ask(bot, "price again")
        bot.simulator.say(WEST, BEN, "price")
        await bot.work()
        assert (said(bot, EAST).count("ten"), said(bot, WEST)) == (1, ["price", "ten"])
        assert await states(bot) == ["unknown", "queued", "accepted"]


@rule
async def test_one_call_answers_for_all_that_is_unknown_in_a_chat() -> None:
    toml = REPLY + "[delivery]\nsend_batch = 5\nmin_interval = '1s'\n"
    async with make_bot(toml, configured=True) as bot:
        await ask(bot, "price 0")
        lose(bot, SEND, DONE, times=1)
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True, times=2))
        bot.simulator.say(EAST, ANN, "price 1")
        bot.simulator.say(EAST, ANN, "price 2")
        await bot.work()
        await bot.pass_time(1)
        assert (await states(bot))[1:] == ["unknown", "unknown"]
        await bot.pass_time(30)
        assert (await stand(bot))[1:] == [("accepted", "log")] * 2
        assert log_calls(bot) == 1


@rule
async def test_the_log_is_asked_no_more_often_than_allowed() -> None:
    rooms = {f"R:{number}": (ONE, ANN) for number in range(10)}
    toml = REPLY + "[delivery]\nlog_calls_per_minute = 4\n"
    async with make_bot(toml, rooms=rooms, configured=True) as bot:
        lose(bot, SEND, DONE, times=10)
        for room in rooms:
            bot.simulator.say(room, ANN, "price")
            await bot.work()
            bot.clock.jump(0.01)
        await bot.pass_time(30)
        assert await states(bot) == ["accepted"] * 4 + ["unknown"] * 6
        await bot.pass_time(60)
        assert log_calls(bot) == 8


@rule
async def test_a_throttled_log_stops_the_asking_and_no_send() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LOG, errcode=407))
        await bot.pass_time(30)
        bot.simulator.say(WEST, BEN, "price")
        await bot.work()
        assert (await states(bot), said(bot, WEST)) == (["unknown", "accepted"], ["price", "ten"])
        await bot.pass_time(10)
        assert (await stand(bot))[0] == ("accepted", "log")


@rule
async def test_a_log_that_never_answers_leaves_the_delivery_to_a_person() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        bot.simulator.faults.add(Fault(Kind.HTTP_STATUS, path=LOG, times=None))
        await bot.pass_time(30)
        for _ in range(11):
            await bot.pass_time(60)
        (row,) = await deliveries(bot)
        assert (row["state"], str(row["error"]).rpartition("; ")[2]) == (
            "held",
            "the platform's log does not tell",
        )


@rule
async def test_a_log_without_our_ids_proves_nothing() -> None:
    """What looks like our message, and may be what staff typed, is neither found nor absent."""
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        bot.simulator.say(EAST, ONE, "ten")
        await bot.pass_time(10)
        bot.simulator.say(EAST, BEN, "thanks")
        await bot.pass_time(20)
        (row,) = await deliveries(bot)
        assert (row["state"], str(row["error"]).rpartition("; ")[2]) == (
            "held",
            "something in the platform's log may be it",
        )


@rule
async def test_attempts_that_are_proven_absent_are_used_up() -> None:
    async with make_bot(REPLY + "[delivery]\nmax_attempts = 1\n", configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await ask(bot)
        await bot.pass_time(10)
        bot.simulator.say(EAST, BEN, "anybody there?")
        await bot.pass_time(20)
        assert (await states(bot), said(bot, EAST).count("ten")) == (["failed"], 0)


@rule
async def test_the_callback_of_what_the_log_told_before_counts_once() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.CLOSE, when=DONE, path=SEND))
        bot.simulator.faults.add(Fault(Kind.LATE, echoes_only=True, seconds=45))
        await ask(bot)
        await bot.pass_time(30)
        assert await stand(bot) == [("accepted", "log")]
        await bot.pass_time(30)
        assert "duplicate_effect_total" not in await bot.store.counters()


@rule
async def test_a_sender_that_dies_asks_for_what_it_had_on_its_way() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        lose(bot, SEND, DONE)
        await ask(bot)
        await bot.restart()
        await bot.work()
        await bot.pass_time(30)
        assert (await stand(bot), said(bot, EAST)) == ([("accepted", "log")], ["price", "ten"])


@rule
async def test_a_forward_that_took_effect_twice_is_counted_though_echoes_of_forwards_have_no_ids() -> None:
    toml = MIRROR + '[delivery]\non_unknown_forward = "retry_blind"\n'
    async with make_bot(toml, configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.CLOSE, when=DONE, path=FORWARD))
        bot.simulator.faults.add(Fault(Kind.LATE, echoes_only=True, seconds=45))
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LOG, errcode=406, times=2))
        await ask(bot)
        await bot.pass_time(30)
        assert said(bot, WEST) == ["price", "price"]
        await bot.pass_time(30)
        assert (await bot.store.counters())["duplicate_effect_total"] == 1


NANOSECONDS = """
from relay import Plugin, Reply

plugin = Plugin("later")

@plugin.on_message()
async def later(message, ctx):
    return Reply("ten", delayed_time=3650 * 86_400)
"""


@rule
async def test_a_delay_beyond_all_time_holds_one_delivery_and_not_the_sender(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "later.py").write_text(NANOSECONDS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        lose(bot, SEND, UNDONE)
        await listen(bot, 1)
        await ask(bot)
        await listen(bot, 70)
        assert await states(bot) == ["held"]
