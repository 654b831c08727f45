"""A store that refuses, or a plugin that is not there, costs nobody else anything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, make_bot, rule, said

from relay.errors import StorageError
from relay.routing import occasions
from relay.store.sqlite.agenda import Agenda

COUNTER = """
from relay import Plugin, Reply
plugin = Plugin("aaa")

@plugin.on_message()
async def count(message, ctx):
    seen = await ctx.state.increment("seen")
    alone = await ctx.state.compare_and_set("last", await ctx.state.get("last"), message.id)
    return Reply(f"seen {seen} {alone}")

@plugin.every("1m")
async def tick(ctx):
    await ctx.state.increment("ticks")
"""
FORM = """
from relay import Plugin, Reply
plugin = Plugin("form")

@plugin.on_message()
async def ask(message, ctx):
    if message.text == "order":
        return Reply("which?", then=answered, within="2m", on_timeout=late)

async def answered(message, ctx):
    return Reply("thanks")

async def late(conversation, ctx):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "aaa.py").write_text(COUNTER)
    (plugins / "form.py").write_text(FORM)
    return tmp_path


@rule
async def test_a_read_that_fails_in_the_middle_of_a_message_leaves_no_change_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, left = Agenda.question, [1]

    async def refusing(self: Agenda, *asked: Any) -> Any:
        if left:
            left.pop()
            raise StorageError("disk I/O error")
        return await question(self, *asked)

    async with make_bot(folder=folder, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "order")
        await bot.work()
        monkeypatch.setattr(Agenda, "question", refusing)
        bot.simulator.say(EAST, ANN, "a lamp")
        working = asyncio.create_task(bot.work())
        while not working.done():
            bot.clock.jump(0.1)  # the router waits a moment before it asks again
            await asyncio.sleep(0.001)
        await bot.pass_time(10)
        assert "seen 2 True" in said(bot, EAST)


@rule
async def test_time_outs_of_a_plugin_that_is_gone_hold_up_no_tick_of_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occasions, "MOST_KNOWN", 2)
    async with make_bot(folder=folder, configured=True) as bot:
        for person in (ANN, BEN):
            bot.simulator.say(EAST, person, "order")
            await bot.work()
        (folder / "plugins" / "form.py").unlink()
        await bot.restart()
        for _ in range(6):
            await bot.pass_time(61)
        assert await bot.store.state("aaa", "ticks") == ("6", None)
