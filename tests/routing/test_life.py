"""What plugins do when they begin and when they end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bots import ANN, EAST, make_bot, rule
from routing.test_occasions import clock, told
from routing.test_uptake import Refusing
from structlog.testing import capture_logs

from relay.config import load
from relay.errors import PluginError
from relay.roles import offers
from relay.routing.parking import MOST_FAILURES, WAITS, Failure
from relay.routing.swap import Swap
from relay.testing import SECRETS, Bot

PLUGIN = """
from relay import Plugin, Reply

plugin = Plugin("clock")

@plugin.on_start
async def start(ctx):
    await ctx.state.increment("starts")
    if await ctx.state.get("bad"):
        raise ValueError("no door")

@plugin.on_message
async def count(message, ctx):
    return Reply(f"starts {await ctx.state.get('starts')}")

@plugin.on_stop
def stop(ctx):
    {stop}
"""


def living(stop: str = "pass") -> str:
    return PLUGIN.replace("{stop}", stop)


@rule
async def test_on_start_runs_before_the_first_message_and_what_it_remembers_is_stored(tmp_path: Path) -> None:
    async with clock(tmp_path, living()) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        await bot.restart()
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        assert told(bot, "starts") == ["starts 1", "starts 2"]


@rule
async def test_what_does_not_start_did_not_load_and_the_log_says_where(tmp_path: Path) -> None:
    async with clock(tmp_path, living().replace('if await ctx.state.get("bad")', "if True")) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        with capture_logs() as logs:
            await bot.work()
        (line,) = [each for each in logs if each["event"] == "plugin_not_loaded"]
        assert (line["plugin"], line["line"], line["error"]) == (
            "clock",
            10,
            "start failed: ValueError: no door",
        )
        assert told(bot, "starts") == []
        assert await bot.store.state("clock", "starts") is None
        assert "clock" not in {each.name for each in bot.router.pipeline.plugins}


@rule
async def test_a_start_that_takes_too_long_did_not_load(tmp_path: Path) -> None:
    toml = '[plugins.clock]\ntimeout = "50ms"\n'
    slow = 'await asyncio.sleep(60); await ctx.state.increment("starts")'
    text = "import asyncio\n" + living().replace('await ctx.state.increment("starts")', slow)
    async with clock(tmp_path, text, toml) as bot:
        await bot.work()
        assert "clock" not in {each.name for each in bot.router.pipeline.plugins}


@rule
async def test_on_stop_runs_when_the_router_ends_in_order(tmp_path: Path) -> None:
    stop = tmp_path / "stopped"
    async with clock(
        tmp_path, living(f"import pathlib; pathlib.Path({str(stop)!r}).touch(exist_ok=False)")
    ) as bot:
        await bot.work()
        ended = asyncio.Event()
        ended.set()
        with capture_logs() as logs:
            await bot.router.run(ended)
            await bot.router.run(ended)
        assert logs == []  # not twice
        assert stop.exists()


@rule
async def test_a_stop_that_fails_or_hangs_ends_with_the_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.routing.life.MOST_WAIT", 0.05)
    async with clock(tmp_path, living("import time; time.sleep(0.2)")) as bot:
        await bot.work()
        ended = asyncio.Event()
        ended.set()
        with capture_logs() as logs:
            await bot.router.run(ended)
        assert [each["event"] for each in logs] == ["plugins_stop_late"]


@rule
async def test_whoever_swaps_is_told_what_does_not_start(tmp_path: Path) -> None:
    async with clock(tmp_path, living().replace('ctx.state.get("bad")', "ctx.nothing")) as bot:
        (bad,) = [each for each in bot.router.pipeline.plugins if each.name == "clock"]
        assert bot.router.occasions is not None
        with pytest.raises(PluginError) as caught:
            await bot.router.occasions.life.start(bad)
        assert (caught.value.file, caught.value.line) == (str(tmp_path / "plugins" / "clock.py"), 9)


@rule
async def test_a_plugin_that_comes_while_the_bot_runs_is_started_with_its_memory(tmp_path: Path) -> None:
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await bot.work()
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "clock.py").write_text(living())
        occasions = bot.router.occasions
        assert occasions is not None
        swap = Swap(bot.router.pipeline, occasions.life)
        await swap.take(offers(load(bot.folder / "bot.toml", SECRETS)))
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        assert told(bot, "starts") == ["starts 1"]


@rule
async def test_a_start_that_killed_the_router_too_often_waits_with_its_plugin(tmp_path: Path) -> None:
    async with clock(tmp_path, living()) as bot:
        standing, occasions = bot.router.standing, bot.router.occasions
        assert standing is not None
        assert occasions is not None
        for _ in range(MOST_FAILURES):
            standing.parking.failed("clock", Failure("the router died in start"))
        await standing.parking.keep(bot.store)
        await bot.work()
        assert await bot.store.state("clock", "starts") is None
        await bot.pass_time(WAITS[0] / 1000)
        assert await bot.store.state("clock", "starts") == ("1", None)
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        assert told(bot, "starts") == ["starts 1"]


async def parked(bot: Bot) -> None:
    """Its start has killed the router too often."""
    assert bot.router.standing is not None
    for _ in range(MOST_FAILURES):
        bot.router.standing.parking.failed("clock", Failure("the router died in start"))
    await bot.router.standing.parking.keep(bot.store)
    await bot.work()


@rule
async def test_the_change_of_another_plugin_does_not_start_what_is_parked(tmp_path: Path) -> None:
    async with clock(tmp_path, living()) as bot:
        await parked(bot)
        (tmp_path / "plugins" / "other.py").write_text('from relay import Plugin\nplugin = Plugin("other")\n')
        await bot.swap()
        assert "other" in {each.name for each in bot.router.pipeline.plugins}
        assert await bot.store.state("clock", "starts") is None
        await bot.pass_time(WAITS[0] / 1000)
        assert await bot.store.state("clock", "starts") == ("1", None)


@rule
async def test_a_parked_plugin_that_was_removed_does_not_return(tmp_path: Path) -> None:
    async with clock(tmp_path, living()) as bot:
        await parked(bot)
        (tmp_path / "plugins" / "clock.py").unlink()
        await bot.swap()
        await bot.pass_time(WAITS[0] / 1000)
        assert "clock" not in {each.name for each in bot.router.pipeline.plugins}


SLOW = """
import asyncio
from relay import Plugin

plugin = Plugin("clock")
go = asyncio.Event()

@plugin.on_start
async def start(ctx):
    await go.wait()
"""


@rule
async def test_a_version_that_is_saved_while_a_parked_one_starts_is_the_only_one_to_run(
    tmp_path: Path,
) -> None:
    async with clock(tmp_path, SLOW) as bot:
        await parked(bot)
        occasions = bot.router.occasions
        assert occasions is not None
        (waiting,) = occasions.life.later
        bot.clock.jump(WAITS[0] / 1000)
        beginning = asyncio.create_task(occasions.life.begin_later())
        await asyncio.sleep(0)
        (tmp_path / "plugins" / "clock.py").write_text(living())
        swapping = asyncio.create_task(bot.swap())
        await asyncio.sleep(0)
        waiting.plugin.start_hooks[0].function.__globals__["go"].set()
        await asyncio.gather(beginning, swapping)
        assert [each.name for each in bot.router.pipeline.plugins].count("clock") == 1


BEGINS = """
import asyncio
from relay import Plugin

plugin = Plugin("clock")

async def poll():
    await asyncio.sleep(3600)

@plugin.on_start
async def first(ctx):
    asyncio.create_task(poll(), name="poll")

@plugin.on_start
async def second(ctx):
    {body}
"""


def polls() -> int:
    return [each.get_name() for each in asyncio.all_tasks()].count("poll")


@rule
async def test_what_a_start_set_going_ends_where_it_fails(tmp_path: Path) -> None:
    async with clock(tmp_path, BEGINS.format(body="raise ValueError")) as bot:
        await bot.work()
        assert "clock" not in {each.name for each in bot.router.pipeline.plugins}
        assert polls() == 0


@rule
async def test_a_start_that_the_store_refused_sets_nothing_going_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clock(tmp_path, BEGINS.format(body="await ctx.state.increment('starts')")) as bot:
        monkeypatch.setattr(bot.store.occasions, "remember", Refusing(bot, 2))
        working = asyncio.create_task(bot.work())
        while not working.done():
            bot.clock.jump(0.1)  # the router waits a moment before it asks again
            await asyncio.sleep(0.001)
        assert await bot.store.state("clock", "starts") == ("1", None)
        assert polls() == 1
