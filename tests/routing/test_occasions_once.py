"""Whatever plugins are called for beside messages is neither lost nor doubled, whenever the process ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, EAST, MIRROR, deliveries, receive, rule
from routing.test_occasions import PLUGIN, clock, heard, told

from relay.roles import build_router
from relay.routing.blackbox import SLOT, SLOTS, BlackBox
from relay.routing.router import Router
from relay.store.occasions import Handled
from relay.testing import Bot

DEADLY = """
import asyncio
from relay import Plugin, Send

plugin = Plugin("clock")

@plugin.every("10m")
async def tick(ctx):
    return Send("R:10950000000000001", "tick")

@plugin.every("15m")
async def deadly(ctx):
    await asyncio.Event().wait()
"""


class Crash(BaseException):
    """The process ends here."""


async def crash(bot: Bot, patch: pytest.MonkeyPatch, *, committed: bool, seconds: float = 0) -> None:
    """Let the process end just before, or just after, what came of an occasion is committed."""
    finish = bot.store.occasions.finish

    async def crashing(handled: Handled, expire_after: int) -> bool:
        if committed:
            await finish(handled, expire_after)
        raise Crash

    patch.setattr(bot.store.occasions, "finish", crashing)
    with pytest.raises(Crash):
        await bot.pass_time(seconds)
    await bot.restart()
    await bot.work()


async def remembered(bot: Bot) -> Any:
    return await bot.store.state("clock", "ticks")


moments = pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after it"])


@moments
@rule
async def test_a_tick_that_dies_is_handled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        await crash(bot, monkeypatch, committed=committed, seconds=600)
        assert told(bot, "tick") == ["tick 1"]
        assert await remembered(bot) == ("1", None)
        assert [row["state"] for row in await bot.store.occasions.occasions()] == ["handled"]


@moments
@rule
async def test_a_time_out_that_dies_is_handled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    async with clock(tmp_path) as bot:
        bot.simulator.say(EAST, ANN, "ask")
        await bot.work()
        await crash(bot, monkeypatch, committed=committed, seconds=120)
        assert told(bot, "no answer") == ["no answer to m1 in 120 s"]


@moments
@rule
async def test_an_event_that_dies_is_handled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        await receive(bot, {"name": "Eve"}, kind="contacts")
        await crash(bot, monkeypatch, committed=committed)
        assert told(bot, "contacts") == ["contacts: Eve"]


@moments
@rule
async def test_a_change_of_a_delivery_that_dies_is_handled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    async with clock(tmp_path, toml=MIRROR) as bot:
        await heard(bot)
        await crash(bot, monkeypatch, committed=committed, seconds=61)
        assert told(bot, "group_mirror") == ["group_mirror d1 delivered echo of m1"]


@rule
async def test_ticks_that_were_missed_are_made_up_for_once(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        bot.clock.jump(3 * 3600)
        for _ in range(3):
            await bot.restart()
            await bot.work()
        assert told(bot, "tick") == ["tick 1"]
        await bot.pass_time(600)
        assert told(bot, "tick") == ["tick 1", "tick 2"]


@rule
async def test_events_are_heard_since_somebody_registered_also_while_no_router_was_there(
    tmp_path: Path,
) -> None:
    async with clock(tmp_path, PLUGIN.replace("contacts", "rooms")) as bot:
        await heard(bot)
        await receive(bot, {"name": "Ada"}, kind="contacts")
        (tmp_path / "plugins" / "clock.py").write_text(PLUGIN, "utf-8")
        await bot.restart()
        await bot.work()
        await receive(bot, {"name": "Eve"}, kind="contacts")
        await bot.restart()
        await bot.work()
        assert told(bot, "contacts") == ["contacts: Eve"]


@rule
async def test_nothing_is_noted_of_what_nobody_registered_for(tmp_path: Path) -> None:
    async with clock(tmp_path, 'from relay import Plugin\nplugin = Plugin("clock")\n', MIRROR) as bot:
        await heard(bot)
        await receive(bot, {"name": "Eve"}, kind="contacts")
        await bot.pass_time(61)
        assert await bot.store.occasions.occasions() == []
        assert [row["state"] for row in await deliveries(bot)] == ["delivered"]


@rule
async def test_what_kills_the_router_three_times_is_set_aside_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = bytearray(SLOTS * SLOT.size)

    async with clock(tmp_path, DEADLY) as bot:
        await heard(bot)
        bot.clock.jump(901)
        for _ in range(3):
            box = BlackBox(memory)
            over = kill_at(monkeypatch, box, "clock.deadly")
            loaded = bot.router.pipeline.plugins
            await run_dying(build_router(bot.config, bot.store, bot.clock, loaded, box), over)
        await build_router(bot.config, bot.store, bot.clock, loaded, BlackBox(memory)).drain()
        await bot.work()
        found = {row["handler"]: row["state"] for row in await bot.store.occasions.occasions()}
        assert found == {"tick": "handled", "deadly": "set_aside"}
        (aside,) = [row for row in await bot.store.occasions.occasions() if row["state"] == "set_aside"]
        told_of: Any = await bot.store.occasions.occasion(int(str(aside["id"])[1:]))
        (line,) = told_of["trace"]
        assert (line["plugin"], line["decision"]) == ("clock", "set_aside")
        assert told(bot, "tick") == ["tick"]


def kill_at(patch: pytest.MonkeyPatch, box: BlackBox, what: str) -> asyncio.Event:
    """Let the process end as soon as this runs, which is told."""
    begin, over = box.begin, asyncio.Event()

    def beginning(message: int, name: bytes) -> Any:
        if name == what.encode():
            box.blame(message, what)
            over.set()
        return begin(message, name)

    patch.setattr(box, "begin", beginning)
    return over


async def run_dying(router: Router, over: asyncio.Event) -> None:
    while not over.is_set():
        await router.step()
        await asyncio.sleep(0)
    await router._tasks.cancel()
