"""A store that refuses, or a plugin that is not there, costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, make_bot, rule, said

from relay.errors import StorageError
from relay.routing import occasions, router
from relay.routing.parking import KEY
from relay.routing.refusals import MOST
from relay.store.sqlite.agenda import Agenda
from relay.testing import Bot

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


def refuse_state(bot: Bot, patch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let the store refuse so many reads of what plugins remember; what was asked for."""
    state, asked = bot.store.state, list[str]()

    async def refusing(plugin: str, key: str) -> Any:
        asked.append(key)
        if len(asked) <= times:
            raise StorageError("disk I/O error")
        return await state(plugin, key)

    patch.setattr(router, "WAITS", (0.1,))
    patch.setattr(bot.store, "state", refusing)
    return asked


async def work_on(bot: Bot) -> None:
    """Work while a router that is refused asks again and again."""
    working = asyncio.create_task(bot.work())
    while not working.done():
        bot.clock.jump(0.1)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("wrapped", [False, True])
@rule
async def test_a_store_that_refuses_what_a_handler_asks_for_is_no_failure_of_its(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    if wrapped:
        count = COUNTER.replace("    seen =", "    try: seen =").replace(
            "    alone", "    except Exception: raise KeyError\n    alone", 1
        )
        (folder / "aaa.py").write_text(count)
    async with make_bot(folder=folder, configured=True) as bot:
        asked = refuse_state(bot, monkeypatch, MOST - 1)
        bot.simulator.say(EAST, ANN, "hello")
        await work_on(bot)
        assert len(asked) >= MOST
        assert "seen 1 True" in said(bot, EAST)
        assert [each["decision"] for each in await bot.store.trace(1) if each["plugin"] == "aaa"] == ["reply"]
        assert await bot.store.meta(KEY) in (None, "{}")


@rule
async def test_a_handler_that_alone_is_refused_time_and_again_keeps_nobody_waiting_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "aaa.py").write_text(COUNTER.partition("@plugin.every")[0])
    async with make_bot(folder=folder, configured=True) as bot:
        refuse_state(bot, monkeypatch, 10_000)
        bot.simulator.say(EAST, ANN, "order")
        await work_on(bot)
        assert said(bot, EAST) == ["order", "which?"]
        (line,) = [each for each in await bot.store.trace(1) if each["plugin"] == "aaa"]
        assert "StorageError" in str(line["reason"])


@rule
async def test_a_tick_that_is_refused_is_handled_once_the_store_obeys_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_bot(folder=folder, configured=True) as bot:
        await bot.work()
        refuse_state(bot, monkeypatch, 3)
        bot.clock.jump(60)
        await work_on(bot)
        assert await bot.store.state("aaa", "ticks") == ("1", None)


POST = """
import pathlib
from relay import Plugin
plugin = Plugin("Aaa")

@plugin.on_message()
async def post(message, ctx):
    with pathlib.Path("{log}").open("a") as log:
        log.write("posted ")
"""


@rule
async def test_while_the_store_refuses_nobody_is_called_again_and_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = folder / "posted"
    (folder / "plugins" / "Aaa.py").write_text(POST.format(log=log))
    async with make_bot(folder=folder, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hi")
        await bot.work()
        log.unlink()
        refusals = list[str]()

        def refusing(read: Callable[..., Any]) -> Callable[..., Any]:
            async def refuse(*asked: str) -> Any:
                refusals.append(asked[-1])
                if len(refusals) <= 8:
                    raise StorageError("disk I/O error")
                return await read(*asked)

            return refuse

        monkeypatch.setattr(router, "WAITS", (0.1,))
        monkeypatch.setattr(bot.store, "state", refusing(bot.store.state))
        monkeypatch.setattr(bot.store, "meta", refusing(bot.store.meta))
        bot.simulator.say(EAST, ANN, "hi")
        await work_on(bot)
        assert len(refusals) > 8
        assert log.read_text() == "posted posted "
