"""What plugins remember: seen at once, stored with the decisions, neither lost nor doubled."""

from __future__ import annotations

from pathlib import Path

from bots import ANN, BEN, EAST, WEST, make_bot, rule, said

PLUGIN = """
import asyncio
from relay import Context, Message, Plugin, Reply

plugin = Plugin("counter")
gate = asyncio.Event()

@plugin.on_message()
async def count(message: Message, ctx: Context) -> Reply:
    number = await ctx.state.increment("said", ttl="1h" if "hour" in message.text else None)
    if "fail" in message.text:
        raise ValueError
    if "remember" in message.text:
        await ctx.state.set("word", message.text, ttl="10m")
    if "forget" in message.text:
        await ctx.state.delete("word")
    return Reply(f"{number} {await ctx.state.get('word', 'nothing')}")
"""


def counting(folder: Path) -> str:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "counter.py").write_text(PLUGIN)
    return '[plugins]\norder = ["counter"]\n'


@rule
async def test_a_number_survives_a_restart(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "one")
        await bot.work()
        await bot.restart()
        bot.simulator.say(EAST, ANN, "two")
        await bot.work()
        assert said(bot, EAST) == ["one", "1 nothing", "two", "2 nothing"]


@rule
async def test_what_a_failed_handler_changed_was_never_so(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for chat, sender, text in ((EAST, ANN, "one"), (WEST, BEN, "fail"), (EAST, ANN, "two")):
            bot.simulator.say(chat, sender, text)
        await bot.work()
        assert said(bot, EAST)[-2:] == ["1 nothing", "2 nothing"]


@rule
async def test_conversations_side_by_side_lose_no_count(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for number in range(40):
            bot.simulator.say((EAST, WEST)[number % 2], ANN, "x")
        await bot.work()
        assert await bot.store.state("counter", "said") == ("40", None)


@rule
async def test_a_value_ends_with_its_time(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "remember")
        await bot.work()
        await bot.pass_time(599)
        bot.simulator.say(EAST, ANN, "still?")
        await bot.work()
        await bot.pass_time(2)
        bot.simulator.say(EAST, ANN, "and now?")
        await bot.work()
        assert said(bot, EAST)[1::2] == ["1 remember", "2 remember", "3 nothing"]


@rule
async def test_a_number_whose_time_is_over_begins_anew(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for text in ("hour", "hour"):
            bot.simulator.say(EAST, ANN, text)
        await bot.work()
        await bot.pass_time(3601)
        bot.simulator.say(EAST, ANN, "again")
        await bot.work()
        assert said(bot, EAST)[-1] == "1 nothing"


@rule
async def test_a_forgotten_value_is_gone(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for text in ("remember", "forget"):
            bot.simulator.say(EAST, ANN, text)
            await bot.work()
        assert said(bot, EAST)[-1] == "2 nothing"
        assert await bot.store.state("counter", "word") is None
