"""A role that hangs is noticed, asked where, and mended; what plugins started ends with it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from processes.live import CUSTOMER, LiveBot, gone, platform, rooms, until

from relay.supervisor.pulse import MOST, Pulse
from relay.supervisor.warden import PATIENCE, Warden
from relay.ties import BEAT

PLUGIN = """
import pathlib
import re
import subprocess
import sys

from relay import Plugin

plugin = Plugin("bad")
BUSY = "while True: pass"


@plugin.on_message()
async def handle(message, ctx):
    if message.text == "spin":
        pathlib.Path(__file__).with_suffix(".spins").touch()
        re.match(r"(a+)+$", "a" * 40 + "b")
    if message.text == "children":
        children = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(4)]
        pathlib.Path(__file__).with_suffix(".pids").write_text(" ".join(str(each.pid) for each in children))
"""
LINE = 1 + PLUGIN[: PLUGIN.index("re.match")].count("\n")


def _spoil(bot: LiveBot) -> Path:
    """Give the bot a plugin that hangs and starts children, and 2 s for each handler."""
    folder = bot.folder / "plugins"
    folder.mkdir()
    (folder / "bad.py").write_text(PLUGIN)
    text = bot.config.read_text().replace("[delivery]", '[plugins]\ntimeout = "2s"\n[delivery]')
    bot.config.write_text(text)
    return folder / "bad.pids"


def _started(pids: Path) -> list[int]:
    """The children that the plugin has started by now."""
    return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []


def test_a_router_that_hangs_in_a_pattern_says_where_and_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            _spoil(bot)
            await bot.start()
            simulator.say(rooms(0)[0], CUSTOMER, "spin")
            await until(lambda: bot.told("role_hung", role="router"))
            simulator.say(rooms(1)[0], CUSTOMER, "hello")
            await until(lambda: simulator.ledger.in_chat(rooms(1)[1]))
            log = (tmp_path / "bot.log").read_text()
            assert re.search(rf'File ".*plugins/bad.py", line {LINE} in handle', log)

    asyncio.run(go())


def test_what_a_plugin_started_ends_with_the_router(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            pids = _spoil(bot)
            await bot.start()
            simulator.say(rooms(0)[0], CUSTOMER, "children")
            await until(lambda: _started(pids))
            children = _started(pids)
            os.kill(await bot.pid("router"), signal.SIGKILL)
            await until(lambda: all(gone(pid) for pid in children))

    asyncio.run(go())


@pytest.mark.long
def test_a_killed_supervisor_leaves_nothing_though_the_router_hangs(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            pids = _spoil(bot)
            await bot.start()
            simulator.say(rooms(0)[0], CUSTOMER, "children")
            await until(lambda: _started(pids))
            simulator.say(rooms(0)[0], CUSTOMER, "spin")
            await until(pids.with_suffix(".spins").exists)  # it hangs; the supervisor would mend it after 2
            assert bot.process is not None
            bot.process.kill()
            await asyncio.to_thread(bot.process.wait)
            assert len(bot.pids()) > 4
            await until(lambda: not bot.pids(), 20)
            with socket.create_server(("127.0.0.1", bot.public)):
                pass

    asyncio.run(go())


@pytest.mark.long
def test_a_stop_ends_with_0_within_10_seconds_though_a_role_hangs(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            os.kill(await bot.pid("sender"), signal.SIGSTOP)
            async with asyncio.timeout(10):
                assert await bot.stop() == 0
            assert not bot.pids()

    asyncio.run(go())


@pytest.mark.long
@pytest.mark.parametrize("role", ["receiver", "sender", "console"])
def test_any_role_that_hangs_is_replaced(tmp_path: Path, role: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            before = await bot.pid(role)
            os.kill(before, signal.SIGSTOP)
            await until(lambda: len(bot.told("role_serving", role=role)) == 2)
            assert bot.told("role_hung", role=role)
            assert gone(before)

    asyncio.run(go())


@pytest.mark.long
def test_a_bot_that_was_stopped_as_a_whole_accuses_nobody(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            _spoil(bot)
            await bot.start()
            await until(lambda: len(bot.told("role_serving")) == 4)
            assert bot.process is not None
            stopped = bot.pids()
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(5)
            bot.process.send_signal(signal.SIGCONT)  # it looks before any other can show life
            await asyncio.sleep(0.5)
            assert not bot.told("role_hung")
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: bot.told("reloading"))  # it has looked at all of them many times by then
            assert not bot.told("role_hung")

    asyncio.run(go())


def test_silence_grows_by_looks_and_not_by_what_the_supervisor_slept() -> None:
    pulse = Pulse(0.0)
    pulse.hear(1000.0)
    assert pulse.silent == MOST
    os.write(pulse.lent, BEAT)
    pulse.hear(2000.0)
    assert pulse.silent == 0.0
    pulse.hear(2000.2)
    assert pulse.silent == pytest.approx(0.2)
    pulse.hand_over()
    pulse.close()


def test_a_warden_ends_a_group_once_its_supervisor_is_gone() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & sleep 60"], process_group=0) as watched:
        warden = Warden(watched.pid, patience=0)
        with pytest.raises(subprocess.TimeoutExpired):
            watched.wait(0.5)
        os.close(warden.held)
        assert watched.wait(10) == -signal.SIGKILL
        warden.held = os.open(os.devnull, os.O_RDONLY)
        warden.end()


@pytest.mark.long
def test_wardens_leave_alone_who_came_with_a_reload(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            await until(lambda: len(bot.told("role_serving")) == 4)
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: len(bot.told("role_serving")) == 8)
            await asyncio.sleep(PATIENCE + 3)
            assert not bot.told("role_died")

    asyncio.run(go())
