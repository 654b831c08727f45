"""What the supervisor mends, refuses and leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from processes.live import CUSTOMER, TEAMS, LiveBot, free_ports, gone, platform, rooms, until

from relay.config import load
from relay.roles import load_plugins
from relay.simulator.ledger import PushState
from relay.supervisor.check import Check, files_now
from relay.testing import SECRETS


def test_a_role_that_dies_is_started_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            for role in ("router", "sender"):
                os.kill(await bot.pid(role), signal.SIGKILL)
            simulator.say(rooms(0)[0], CUSTOMER, "hello")
            await until(lambda: len(simulator.ledger.effects()) == 2)

    asyncio.run(go())


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            children = [await bot.pid(role) for role in ("receiver", "router", "sender", "console")]
            assert bot.process is not None
            bot.process.kill()
            await asyncio.to_thread(bot.process.wait)
            await until(lambda: all(gone(pid) for pid in children))

    asyncio.run(go())


def _second(bot: LiveBot, *role: str) -> subprocess.CompletedProcess[bytes]:
    """Another relay with the same database and other doors."""
    text = bot.config.read_text()
    for port in (bot.public, bot.private):
        text = text.replace(f"\nport = {port}\n", f"\nport = {free_ports(1)[0]}\n")
    other = bot.folder / "other.toml"
    other.write_text(text)
    command = [sys.executable, "-m", "relay", "run", *role, "--config", str(other)]
    return subprocess.run(command, env=bot.environment, capture_output=True, timeout=30, check=False)


def test_a_second_relay_on_the_same_database_refuses_to_start(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            await bot.pid("sender")
            for role in ((), ("--role", "sender")):
                done = await asyncio.to_thread(_second, bot, *role)
                assert done.returncode == 1
                assert b"stop that one first" in done.stderr

    asyncio.run(go())


def test_a_broken_configuration_changes_nothing_at_reload_and_says_why(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            before = await bot.pid("router")
            bot.config.write_text(bot.config.read_text().replace("contains", "contians"))
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            log = tmp_path / "bot.log"
            await until(lambda: "contians" in log.read_text())
            bot.config.write_text(bot.config.read_text().replace("contians", "contains"))
            assert await bot.pid("router") == before
            simulator.say(rooms(0)[0], CUSTOMER, "price?")
            await until(lambda: len(simulator.ledger.effects()) == 3)

    asyncio.run(go())


def test_what_a_check_accepted_is_what_roles_load(fresh_bot: Path) -> None:
    """Whatever became of plugin files since, and however often a role starts."""
    plugin = fresh_bot.parent / "plugins" / "greeter.py"
    check = Check(fresh_bot, files_now(fresh_bot))
    check.end()
    plugin.write_text("broken", "utf-8")
    plugin.with_name("newcomer.py").write_text("broken", "utf-8")
    assert files_now(fresh_bot) != check.files
    accepted, now = (load_plugins(load(fresh_bot, SECRETS, files)) for files in (check.files, None))
    assert [each.name for each in accepted.loaded if each.source == "folder"] == ["greeter"]
    assert {found.name for found, _ in now.failed} == {"greeter", "newcomer"}


@pytest.fixture
def fresh_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bot.toml of a bot with one plugin of its own."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    write_plugin(tmp_path, GREETER)
    return LiveBot(tmp_path, free_ports(3)).config


GREETER = """
from relay import Plugin, Reply
plugin = Plugin("greeter")

@plugin.on_message()
async def greet(message, ctx):
    return Reply("hello from the accepted version")
"""


def write_plugin(folder: Path, text: str) -> None:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "greeter.py").write_text(text, "utf-8")


@pytest.mark.long
def test_a_version_that_a_reload_refused_is_not_loaded_by_a_router_that_starts_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            write_plugin(tmp_path, GREETER)
            await bot.start()
            before = await bot.pid("router")
            write_plugin(tmp_path, "raise RuntimeError('the refused version')\n")
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: bot.told("reload_refused"))
            os.kill(before, signal.SIGKILL)
            await until(lambda: gone(before))
            await bot.pid("router")
            simulator.say(rooms(0)[0], CUSTOMER, "hi")
            await until(lambda: len(simulator.ledger.effects()) == 3)  # two forwards, and the greeting
            assert bot.told("plugin_not_loaded") == []

    asyncio.run(go())


@pytest.mark.long
def test_the_console_serves_beside_a_plugin_that_hangs_while_it_is_loaded(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            before = await bot.pid("console")
            write_plugin(tmp_path, "while True:\n    pass\n")
            os.kill(before, signal.SIGKILL)
            await until(lambda: gone(before))
            await bot.pid("console")
            plugins = (await status_of(bot))["plugins"]
            assert [each["state"] for each in plugins] == ["active", "active", "failed"]

    asyncio.run(go())


async def status_of(bot: LiveBot) -> Any:
    """What the console tells."""
    password = {"authorization": f"Bearer {SECRETS['RELAY_CONSOLE_PASSWORD']}"}
    url = f"http://127.0.0.1:{bot.private}/api/status"
    async with aiohttp.ClientSession(headers=password) as session, session.get(url) as answer:
        return await answer.json()


@pytest.mark.long  # as one of the restarts under load
def test_a_reload_leaves_no_callback_unanswered(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            before = await bot.pid("receiver")
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            number = 0
            while not gone(before):
                simulator.say(rooms(number % TEAMS)[0], CUSTOMER, f"hello {number}")
                number += 1
                await asyncio.sleep(0.02)
            await simulator.settle()
            assert simulator.ledger.pushes_in(PushState.REFUSED) == []
            assert number > 10

    asyncio.run(go())


async def _healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request on this connection is answered, and the connection kept."""
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = await reader.readuntil(b"}")
    return answer.startswith(b"HTTP/1.1 200") and b"connection: close" not in answer


@pytest.mark.parametrize("whom", ["relay", "receiver"])
def test_a_receiver_leaves_its_kept_connections_to_its_successor_once_that_serves(
    tmp_path: Path, whom: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            kept = [await asyncio.open_connection("127.0.0.1", bot.public) for _ in range(300)]
            assert await _healthy(*kept[0])
            before = await bot.pid("receiver")
            assert bot.process is not None
            if whom == "relay":
                bot.process.send_signal(signal.SIGHUP)
            else:
                os.kill(before, signal.SIGTERM)
            await until(lambda: bot.told("role_leaving", pid=before))
            first, second = (line["pid"] for line in bot.told("role_serving", role="receiver"))
            assert (first, gone(second)) == (before, False)
            await until(lambda: gone(before))
            assert all([await _healthy(*each) for each in kept])
            for _, writer in kept:
                writer.close()

    asyncio.run(go())


def test_a_good_configuration_takes_effect_at_reload(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            before = await bot.pid("router")
            bot.config.write_text(bot.config.read_text().replace("100 yuan", "90 yuan"))
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: gone(before))
            simulator.say(rooms(0)[0], CUSTOMER, "price?")
            await until(lambda: b"90 yuan" in simulator.ledger.in_chat(rooms(0)[0])[-1].content)

    asyncio.run(go())


SLOW = """
import pathlib
import time

from relay import Plugin

plugin = Plugin("slow")
pathlib.Path(__file__).with_suffix(".begun").touch()
time.sleep(60)
"""


async def _reload_slowly(bot: LiveBot) -> None:
    """Ask for a reload whose check takes a minute, and return once it has begun."""
    plugins = bot.folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "slow.py").write_text(SLOW)
    assert bot.process is not None
    bot.process.send_signal(signal.SIGHUP)
    await until((plugins / "slow.begun").exists)


def test_a_role_that_dies_while_a_reload_is_checked_is_started_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            before = await bot.pid("sender")
            await _reload_slowly(bot)
            os.kill(before, signal.SIGKILL)
            started = '"role": "sender", "event": "role_started"'
            await until(lambda: (bot.folder / "bot.log").read_text().count(started) == 2)

    asyncio.run(go())


def test_a_stop_while_a_reload_is_checked_stops_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            await _reload_slowly(bot)
            assert await bot.stop() == 0

    asyncio.run(go())


def test_a_second_reload_does_not_wait_for_the_check_of_the_first(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            before = await bot.pid("sender")
            await _reload_slowly(bot)
            (bot.folder / "plugins" / "slow.py").unlink()
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: gone(before))

    asyncio.run(go())
