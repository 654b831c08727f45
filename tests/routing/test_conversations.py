"""A question waits for the sender's next message in that chat: durable, in its place, ended by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, ONE, WEST, entry, make_bot, receive, rule, said

from relay.cli import stored
from relay.routing import conversations
from relay.store.sqlite.forgetting import Forgetting
from relay.testing import Bot
from relay.wire.entries import read_entry

PLUGIN = """
from relay import Context, Conversation, EndConversation, Message, Plugin, Reply, Send, Stop

plugin = Plugin("form")

@plugin.on_message(types=["text"])
async def begin(message: Message, ctx: Context) -> object:
    if message.text == "order":
        return Reply("which one?", then=which, within="2m", on_timeout=late)
    if message.text == "stop it":
        return [EndConversation(), Reply("stopped")]
    return Reply(f"on_message: {message.text}")

async def which(message: Message, ctx: Context) -> object:
    if message.text == "fail":
        raise ValueError
    if message.text == "more":
        return Reply("and?", then=which)
    number = await ctx.state.increment("orders")
    return [Reply(f"order {number}: {message.text}"), Stop()]

async def late(conversation: Conversation, ctx: Context) -> object:
    seconds = (conversation.until - conversation.since).total_seconds()
    return Reply(f"too late for {conversation.message} after {seconds:.0f}")
"""
OTHER = """
from relay import Plugin, Reply

plugin = Plugin("zzz")

@plugin.on_message()
async def see(message, ctx):
    return Reply(f"zzz: {message.text}")
"""


def form(folder: Path, text: str = PLUGIN, *, other: bool = False) -> Bot:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "form.py").write_text(text, "utf-8")
    if other:
        (plugins / "zzz.py").write_text(OTHER, "utf-8")
    return make_bot(folder=folder, configured=True)


async def talk(bot: Bot, *lines: str, chat: str = EAST, sender: str = ANN) -> list[str]:
    """What the bot said to these lines, one after the other."""
    before = len(answers(bot, chat))
    for line in lines:
        bot.simulator.say(chat, sender, line)
        await bot.work()
    return answers(bot, chat)[before:]


def answers(bot: Bot, chat: str = EAST) -> list[str]:
    """What the bot said there."""
    customers = (ANN, BEN)
    told = zip(bot.simulator.ledger.in_chat(chat), said(bot, chat), strict=True)
    return [text for message, text in told if message.sender not in customers]


@rule
async def test_the_next_message_answers_and_the_one_after_does_not(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        assert await talk(bot, "order", "a lamp", "thanks") == [
            "which one?",
            "order 1: a lamp",
            "on_message: thanks",
        ]


@rule
async def test_only_the_sender_answers_and_only_in_that_chat(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        assert await talk(bot, "a table", sender=BEN) == ["on_message: a table"]
        assert await talk(bot, "a chair", chat=WEST) == ["on_message: a chair"]
        assert await talk(bot, "a lamp") == ["order 1: a lamp"]


@rule
async def test_a_conversation_survives_a_restart(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        await bot.restart()
        assert await talk(bot, "a lamp") == ["order 1: a lamp"]


@rule
async def test_other_plugins_see_the_answer_as_usual_unless_it_is_stopped(tmp_path: Path) -> None:
    async with form(tmp_path, other=True) as bot:
        assert await talk(bot, "order", "more", "a lamp") == [
            *("which one?", "zzz: order"),
            *("and?", "zzz: more"),
            "order 1: a lamp",
        ]


@rule
async def test_with_an_error_nothing_has_happened_and_the_question_stands(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        assert await talk(bot, "order", "fail", "a lamp") == ["which one?", "order 1: a lamp"]


@rule
async def test_an_answer_after_its_time_is_a_message_like_any_other(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        bot.clock.jump(120)
        assert "on_message: a lamp" in await talk(bot, "a lamp")


@rule
async def test_a_handler_that_is_gone_ends_the_conversation_and_the_trace_says_so(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        (tmp_path / "plugins" / "form.py").write_text(PLUGIN.replace("which", "whichever"), "utf-8")
        await bot.restart()
        assert await talk(bot, "a lamp", "no") == ["on_message: a lamp", "on_message: no"]
        lines = [line["reason"] for line in await bot.store.trace(3)]
        assert "the conversation ends: there is no which any more" in lines
        assert await bot.store.occasions.conversations() == []


@rule
async def test_a_question_asked_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order", "more")
        (question,) = await bot.store.occasions.conversations()
        assert (question.handler, question.until - question.since) == ("which", 600_000)


@rule
async def test_a_message_that_was_there_before_the_question_is_no_answer_to_it(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        for number, text in enumerate(("order", "are you there")):
            await receive(bot, entry(str(number), text))
            bot.clock.jump(1)
        await bot.work()
        assert answers(bot) == ["which one?", "on_message: are you there"]


@rule
async def test_a_notice_of_the_platforms_is_no_answer(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        await receive(bot, entry("77", msg_type="revoke"))
        await bot.work()
        assert await talk(bot, "a lamp") == ["order 1: a lamp"]


@rule
async def test_in_a_private_chat_only_the_account_that_asked_hears_the_answer(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await receive(bot, entry("1", "order", chat_wxid=ANN))
        await bot.work()
        (question,) = await bot.store.occasions.conversations()
        assert (question.ear, question.chat) == (ONE, ANN)
        found = await bot.store.occasions.question("form", ANN, ANN, "another account")
        assert found is None


@rule
async def test_what_was_said_before_the_question_and_fetched_after_it_is_no_answer(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        now = bot.clock.now()
        for number, (text, time) in enumerate((("before", now - 1_000), ("after", now + 1_000)), 50):
            bot.clock.jump(2)
            said_then = read_entry(
                "chatMsg", ONE, json.dumps(entry(str(number), text, msg_time=time)).encode()
            )
            await bot.store.recover([said_then])
            await bot.work()
        assert answers(bot)[1:] == ["on_message: before", "order 1: after"]


@rule
async def test_the_plugin_itself_ends_a_conversation(tmp_path: Path) -> None:
    ends = """
    if message.text == "stop":
        return [EndConversation(), Reply("and?", then=which), EndConversation()]
"""
    again = PLUGIN.replace('    if message.text == "more":', ends + '    if message.text == "more":')
    async with form(tmp_path, again) as bot:
        assert await talk(bot, "order", "stop", "a lamp") == ["which one?", "and?", "on_message: a lamp"]


@rule
async def test_a_conversation_of_nobody_cannot_be_ended_and_the_trace_says_so(tmp_path: Path) -> None:
    text = (
        PLUGIN
        + """
@plugin.every("1m")
async def tick(ctx: Context) -> object:
    return [EndConversation(), EndConversation(chat="nowhere", sender="x"), EndConversation("R:1", "x")]
"""
    )
    async with form(tmp_path, text) as bot:
        await bot.work()
        await bot.pass_time(60)
        told = await bot.store.occasions.occasion(1)
        lines: Any = (told or {})["trace"]
        assert [(each["decision"], each["reason"]) for each in lines] == [
            ("error", "it takes a chat and a sender to end a conversation"),
            ("error", "nowhere is not in [chats]"),
            ("end", "waits no longer for x in R:1"),
        ]


@rule
async def test_a_question_where_the_plugin_runs_no_more_times_out_and_nobody_is_called(
    tmp_path: Path,
) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        await bot.restart(f'[plugins.form]\nnot_chats = ["{EAST}"]\n')
        await bot.pass_time(120)
        (row,) = await bot.store.occasions.occasions()
        assert (row["state"], row["reason"]) == ("skipped", f"plugins.form.not_chats: {EAST} is among them")
        assert answers(bot) == ["which one?"]


@rule
async def test_a_function_that_could_not_be_found_again_is_refused_and_nothing_is_sent(
    tmp_path: Path,
) -> None:
    local = PLUGIN.replace(
        'Reply("which one?", then=which', 'Reply("which one?", then=lambda message, ctx: None'
    )
    async with form(tmp_path, local) as bot:
        assert await talk(bot, "order") == []
        (line,) = [each for each in await bot.store.trace(1) if each["plugin"] == "form"]
        assert line["decision"] == "error"
        assert await bot.store.occasions.conversations() == []


@rule
async def test_who_is_forgotten_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with form(tmp_path) as bot:
        await talk(bot, "order")
        await talk(bot, "order", sender=BEN)
        person = Forgetting(bot.config.database, ANN)
        done = person.forget(bot.clock.now(), lambda _: None)
        person.close()
        assert done["conversations"] == 1
        (left,) = await bot.store.occasions.conversations()
        assert left.sender == BEN


@rule
async def test_memory_lets_go_of_conversations_that_are_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "MOST_KEYS", 10)
    async with form(tmp_path) as bot:
        open_now = bot.router.pipeline._memory.conversations
        assert open_now is not None
        most = 0
        for number in range(40):
            customer = f"7881{number:012}"
            await receive(bot, entry(str(number), "order", chat_wxid=customer, from_wxid=customer))
            bot.clock.jump(60)  # two of them are open at a time
            await bot.router.drain()
            most = max(most, len(open_now._keys or ()))
        assert most == 11
        await receive(bot, entry("99", "a lamp", chat_wxid=customer, from_wxid=customer))
        await bot.router.drain()
        assert await bot.store.state("form", "orders") == ("1", None)


@rule
async def test_how_long_it_waits_is_told_as_it_is_written(tmp_path: Path) -> None:
    async with form(tmp_path, PLUGIN.replace('within="2m", on', 'within="2d", on')) as bot:
        await talk(bot, "order")
        asked = [line["reason"] for line in await bot.store.trace(1) if line["decision"] == "ask"]
        assert asked == ["for 2d, the answer goes to which"]
        assert stored.told(str(asked[0]), "zh") == "2d 之内，回答交给 which"
