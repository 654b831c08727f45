"""Files of plugins that change under load, with real processes: nothing is dropped or handled twice."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

import pytest
from processes.live import CUSTOMER, TEAMS, LiveBot, account, platform, rooms, until
from processes.test_bad_plugins import KEY, order, rows

from benchmarks.callbacks import Talk
from benchmarks.load import push
from relay.routing.handover import Handover

COUNTER = """
import asyncio
from relay import Plugin
plugin = Plugin("counter")

@plugin.on_message(types=["text"])
async def count(message, ctx):
    await asyncio.sleep({wait})
    await ctx.state.increment(f"of {{message.id}}")
    await ctx.state.increment(f"by {version}")
"""
PLACES = [(account(team), f"788130000{team}{number:07}") for number in range(25) for team in range(TEAMS)]
TALK = Talk(["hello {n}"], PLACES)
WAITING = "SELECT count(*) FROM messages WHERE state = 'waiting'"
BROKEN = 5  # so many versions, and one of them does not load
HANDLED = "SELECT key, value FROM plugin_state WHERE plugin = 'counter'"


def write(bot: LiveBot, text: str) -> None:
    """Save the plugin."""
    (bot.folder / "plugins").mkdir(exist_ok=True)
    (bot.folder / "plugins" / "counter.py").write_text(text, "utf-8")


def version(number: int) -> str:
    """A plugin that counts how often each message is handled, and how many by this version."""
    if number % BROKEN == BROKEN - 1:
        return "raise RuntimeError('a version that does not load')\n"
    return COUNTER.format(version=number, wait=0.02 * (number % 2))


async def change(bot: LiveBot, times: int, pause: float, enough: asyncio.Event) -> None:
    """Save so many versions, one after the other; the first and the last handle messages in any case."""
    await until(lambda: handled(bot, "by 0"))
    for number in range(1, times + 1):
        write(bot, version(number if number < times else 1_000))
        await asyncio.sleep(pause)
    await until(lambda: handled(bot, "by 1000"))
    enough.set()


def handled(bot: LiveBot, word: str) -> dict[str, int]:
    """What the plugin counted, of messages or by versions."""
    counted = {key: int(value) for key, value in rows(bot, HANDLED)}
    return {key: count for key, count in counted.items() if key.startswith(word)}


async def changing(folder: Path, rate: float, times: int, pause: float) -> int:
    """Hold the promise while a file changes so often; by how many versions the messages were handled."""
    async with platform(folder) as (_, bot):
        write(bot, version(0))
        await bot.start()
        await bot.pid("sender")
        enough = asyncio.Event()
        saving = asyncio.create_task(change(bot, times, pause, enough))
        report = await push(order(bot, rate, times * pause + 30), TALK, KEY, enough)
        await saving
        await until(lambda: rows(bot, WAITING) == [(0,)], 60)
        await until(lambda: bot.told("plugin_swapped"))
        assert report.outcomes() == {"answered": len(report.pushes)}
        assert list(handled(bot, "of ").values()) == [1] * len(report.pushes)
        assert sum(handled(bot, "by ").values()) == len(report.pushes)
        versions = len(handled(bot, "by "))
        assert bot.told("role_died") == []
        assert await bot.stop() == 0
    return versions


def test_no_message_is_dropped_or_handled_twice_while_a_file_changes(tmp_path: Path) -> None:
    assert asyncio.run(changing(tmp_path, 60, 3, 1.0)) > 1


@pytest.mark.long
def test_none_is_at_200_a_second_while_it_changes_50_times(tmp_path: Path) -> None:
    assert asyncio.run(changing(tmp_path, 200, 50, 1.0)) > 10


def test_a_broken_version_is_told_of_and_the_old_one_goes_on_also_in_a_new_router(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            write(bot, version(0))
            await bot.start()
            router = await bot.pid("router")
            write(bot, "plugin = 1 / 0\n")
            await until(lambda: bot.told("plugin_refused"))
            (told,) = bot.told("plugin_refused")
            assert (told["plugin"], told["line"]) == ("counter", 1)
            assert "ZeroDivisionError" in told["error"]
            (row,) = [row for row in await bot.command("plugins") if row["name"] == "counter"]
            assert (row["state"], row["error"]["line"]) == ("failed", 1)
            assert row["running"]["version"]
            simulator.say(rooms(0)[0], CUSTOMER, "hello")
            await until(lambda: sum(handled(bot, "of ").values()) == 1)
            assert bot.told("role_died") == []
            os.kill(router, signal.SIGKILL)
            await until(lambda: bot.told("role_died"))
            simulator.say(rooms(0)[0], CUSTOMER, "hello again")
            await until(lambda: sum(handled(bot, "of ").values()) == 2)

    asyncio.run(go())


@pytest.mark.long
def test_what_an_earlier_life_left_is_not_taken_and_a_stop_leaves_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            left = Handover(tmp_path / "relay.db")
            write(bot, version(0))
            text = COUNTER.format(version=7, wait=0).replace("counter", "stale")
            stale = {str(tmp_path / "plugins" / "stale.py"): text.encode()}
            left.offer({"bot.toml": bot.config.read_bytes(), **stale})
            await bot.start()
            await bot.pid("router")
            write(bot, version(1))
            await until(lambda: bot.told("plugin_swapped"))
            assert [told["plugin"] for told in bot.told("plugin_swapped")] == ["counter"]
            for ending in (".new", ".taken"):
                (tmp_path / f"relay.db.plugins{ending}").write_text("{}")
            assert await bot.stop() == 0

    asyncio.run(go())
    assert list(tmp_path.glob("relay.db.plugins*")) == []


STARTS = """
@plugin.on_start
async def start(ctx):
    await ctx.state.increment("starts")
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what another process writes")
def test_a_version_that_is_saved_while_the_disk_takes_nothing_runs_once_it_does(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            write(bot, version(0))
            await bot.start()
            simulator.say(rooms(0)[0], CUSTOMER, "hello")
            await until(lambda: handled(bot, "by 0"))
            router = await bot.pid("router")
            resource.prlimit(router, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            write(bot, version(1) + STARTS)
            await until(lambda: len(bot.told("swap_put_off")) > 1)
            assert bot.told("plugin_swapped") == []
            resource.prlimit(router, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await until(lambda: bot.told("plugin_swapped"))
            simulator.say(rooms(0)[0], CUSTOMER, "hello again")
            await until(lambda: handled(bot, "by 1"))
            assert bot.told("role_died") == []

    asyncio.run(go())


@pytest.mark.long
def test_a_rule_that_changes_takes_effect_without_a_restart(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            pids = [await bot.pid(role) for role in ("receiver", "router", "sender")]
            bot.config.write_text(bot.config.read_text().replace("100 yuan", "90 yuan"))
            await until(lambda: bot.told("plugin_swapped", plugin="keyword_reply"))
            simulator.say(rooms(0)[0], CUSTOMER, "price?")
            await until(lambda: b"90 yuan" in simulator.ledger.in_chat(rooms(0)[0])[-1].content)
            assert [await bot.pid(role) for role in ("receiver", "router", "sender")] == pids

    asyncio.run(go())
