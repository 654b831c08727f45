"""Load beside, check, swap, dispose: a new version takes over between two messages, or changes nothing."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest
from bots import EAST, entry, eventually, make_bot, messages, receive, rule, said

from relay.routing import belongings
from relay.routing.loader import Loaded
from relay.testing import Bot

GREETER = """
from relay import Plugin, Reply
plugin = Plugin("greeter")

@plugin.on_message()
async def greet(message, ctx):
    return Reply("{word}")
"""


def write(folder: Path, text: str, name: str = "greeter.py") -> None:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / name).write_text(text, "utf-8")


def version(word: str, *, top: str = "", body: str = "") -> str:
    """A greeter that says this word, after whatever else it does."""
    text = GREETER.format(word=word).replace("plugin = ", f"{top}\nplugin = ", 1)
    return text.replace("    return", f"{body}\n    return") if body else text


def running(bot: Bot, name: str = "greeter") -> Loaded:
    """The version that runs."""
    return next(each for each in bot.router.pipeline.plugins if each.name == name)


async def greeted(bot: Bot, svrid: str) -> str:
    """What the bot says to a new message."""
    await receive(bot, entry(svrid))
    await bot.work()
    return said(bot, EAST)[-1]


@rule
async def test_a_new_version_answers_the_next_message(tmp_path: Path) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        assert await greeted(bot, "1") == "one"
        write(tmp_path, version("two"))
        await bot.swap()
        assert await greeted(bot, "2") == "two"


@rule
async def test_a_file_that_is_added_or_removed_counts_as_a_change(tmp_path: Path) -> None:
    async with make_bot(folder=tmp_path, configured=True) as bot:
        write(tmp_path, version("new"))
        await bot.swap()
        assert await greeted(bot, "1") == "new"
        (tmp_path / "plugins" / "greeter.py").unlink()
        old = _module(running(bot).plugin)
        await bot.swap()
        assert "greeter" not in [each.name for each in bot.router.pipeline.plugins]
        assert old not in sys.modules


@pytest.mark.parametrize("broken", ["broken(", "import nowhere", "plugin = 1", version("two", top="1 / 0")])
@rule
async def test_a_version_that_does_not_load_changes_nothing(tmp_path: Path, broken: str) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        before = bot.router.pipeline.plugins
        write(tmp_path, broken)
        await bot.swap()
        assert bot.router.pipeline.plugins == before
        assert await greeted(bot, "1") == "one"


START = """
@plugin.on_start
async def start(ctx):
    raise RuntimeError("no")
"""


@rule
async def test_a_version_that_does_not_start_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await bot.work()
        write(tmp_path, version("two") + START)
        await bot.swap()
        assert await greeted(bot, "1") == "one"


@rule
async def test_a_plugin_that_did_not_change_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        before = running(bot)
        write(tmp_path, version("other").replace("greeter", "other"), "other.py")
        await bot.swap()
        assert running(bot) is before
        assert running(bot, "other")


SETTINGS = """
[plugins]
order = ["keyword_reply"]
[[plugins.keyword_reply.rules]]
name = "hi"
contains = ["hi"]
reply = "{word}"
"""


@rule
async def test_settings_alone_swap_the_plugin_whose_they_are(tmp_path: Path) -> None:
    async with make_bot(SETTINGS.format(word="one"), folder=tmp_path, configured=True) as bot:
        assert await greeted(bot, "1") == "one"
        await bot.swap(SETTINGS.format(word="two"))
        assert await greeted(bot, "2") == "two"


WAITS = version(
    "one",
    top="import asyncio\ngate = asyncio.Event()\n",
    body="    ctx.log.info('begun')\n    await gate.wait()",
)


@rule
async def test_a_message_in_hand_ends_with_the_version_that_it_began_with(tmp_path: Path) -> None:
    write(tmp_path, WAITS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await receive(bot, entry("1"))
        working = asyncio.create_task(bot.router.drain())
        old = running(bot).plugin

        async def begun() -> bool:
            return any(each.since for each in bot.router.pipeline.calls._plugins.values())

        await eventually(begun)
        write(tmp_path, version("two"))
        swapping = asyncio.create_task(bot.swap())

        async def swapped() -> bool:
            return running(bot).plugin is not old

        await eventually(swapped)
        sys.modules[_module(old)].gate.set()
        await asyncio.gather(working, swapping)
        await bot.work()
        assert said(bot, EAST)[-1] == "one"
        assert await greeted(bot, "2") == "two"
        assert [row["state"] for row in await messages(bot) if not row["own"]] == ["routed", "routed"]


def _module(plugin: object) -> str:
    return next(
        name for name, module in list(sys.modules.items()) if getattr(module, "plugin", None) is plugin
    )


LEAVES = """
import asyncio, threading, time
from relay import Plugin
plugin = Plugin("greeter")
ticks, over = [], []

async def poll():
    while True:
        {sleep}

def tick():
    ticks.append(1)
    asyncio.get_running_loop().call_later(0.01, tick)

def spin():
    while True:
        time.sleep(0.01)

@plugin.on_message()
async def greet(message, ctx):
    asyncio.create_task(poll(), name="poll")
    asyncio.get_running_loop().call_later(0.01, tick)
    threading.Thread(target=spin, daemon=True).start()
"""


QUIET = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
"""Threads are ended by SystemExit, of which `threading` itself does not complain."""


@QUIET
@rule
async def test_tasks_timers_and_threads_end_with_their_version(tmp_path: Path) -> None:
    write(tmp_path, LEAVES.format(sleep="await asyncio.sleep(0.01)"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        old = running(bot).plugin
        module = sys.modules[_module(old)]

        async def ticks() -> bool:
            return bool(module.ticks)

        await eventually(ticks)
        assert bot.router.pipeline.calls.belongings.left(old)
        write(tmp_path, version("two"))
        await bot.swap()
        ticked = len(module.ticks)
        await asyncio.sleep(0.03)  # the next tick would have been due after 0.01
        assert len(module.ticks) == ticked
        assert not any(task.get_name() == "poll" for task in asyncio.all_tasks())
        assert not any("(spin)" in each.name for each in threading.enumerate())


STUBBORN = (
    "try:\n            await asyncio.sleep(60)\n        except BaseException:\n            if over: return"
)


@QUIET
@rule
async def test_what_refuses_to_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(belongings.Belongings.end, "__defaults__", (0.05,))
    write(tmp_path, LEAVES.format(sleep=STUBBORN))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await receive(bot, entry("1"))
        await bot.work()
        module = sys.modules[_module(running(bot).plugin)]
        write(tmp_path, version("two"))
        await bot.swap()
        standing = bot.router.standing
        assert standing is not None
        await asyncio.sleep(0)
        left = standing._running["greeter"]["left"]
        assert left[0].startswith("task poll (greeter.py:")
        module.over.append(True)


@rule
async def test_fifty_swaps_leave_no_module_behind(tmp_path: Path) -> None:
    write(tmp_path, version("0"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        before = {name for name in sys.modules if name.startswith("relay_plugin_")}
        for number in range(1, 51):
            write(tmp_path, version(str(number)))
            await bot.swap()
        assert await greeted(bot, "1") == "50"
        after = {name for name in sys.modules if name.startswith("relay_plugin_")}
        assert len(after - before) == len(before - after) == 1
