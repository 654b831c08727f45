"""Roles are forked from a process that has loaded everything; without it they start by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes.live import LiveBot, platform, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt others")

BURYING = """
import os, time
from relay.supervisor.adoption import adopt, bury_others
assert adopt()
ours = os.fork()
if not ours:
    if not os.fork():
        os._exit(3)  # an orphan, which ends
    os._exit(0)
while len(open(f"/proc/self/task/{os.getpid()}/children").read().split()) < 2:
    time.sleep(0.01)
while len(open(f"/proc/self/task/{os.getpid()}/children").read().split()) > 1:
    bury_others({ours})
assert os.waitpid(ours, 0)[0] == ours, "nobody else buries what somebody waits for"
"""


def words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


async def serves_again(bot: LiveBot, role: str) -> int:
    """Kill a role; the process that has it next."""
    before = await bot.pid(role)
    os.kill(before, signal.SIGKILL)
    await until(lambda: int(bot.told("role_serving", role=role)[-1]["pid"]) != before)
    return await bot.pid(role)


def test_a_role_that_dies_is_forked_and_not_started_anew(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            assert words(await bot.pid("sender")) == words(await bot.pid("forkserver"))
            assert words(await serves_again(bot, "router")) == words(await bot.pid("forkserver"))
            assert len(bot.told("forkserver_loaded")) == 1

    asyncio.run(go())


def test_without_a_fork_server_a_role_starts_by_itself_until_there_is_another(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            dead = await bot.pid("forkserver")
            os.kill(dead, signal.SIGKILL)
            await serves_again(bot, "sender")
            await until(lambda: bot.told("forkserver_loaded")[-1]["pid"] != dead)
            assert words(await serves_again(bot, "sender")) == words(await bot.pid("forkserver"))

    asyncio.run(go())


@pytest.mark.long
def test_a_fork_server_that_is_silent_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            stopped = await bot.pid("forkserver")
            os.kill(stopped, signal.SIGSTOP)
            assert "relay.standby" in words(await serves_again(bot, "router"))
            await until(lambda: bot.told("forkserver_loaded")[-1]["pid"] != stopped)
            assert words(await serves_again(bot, "router")) == words(await bot.pid("forkserver"))

    asyncio.run(go())


def test_what_plugins_left_behind_is_buried_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", BURYING], capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
