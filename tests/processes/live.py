"""A real bot in processes of its own, on a simulator behind a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from relay.simulator.app import Simulator, SimulatorServer, create_simulator
from relay.simulator.settings import SimulatorSettings
from relay.testing import SECRETS

TEAMS = 8  # each with an account and three rooms of its own: one account alone may send 450 a minute
CUSTOMER = "7881300000000001"
WARDENS = ("sh", "sleep")  # they outlive a killed supervisor by 12 seconds, whoever else is left
PATIENCE = 30.0  # seconds until a condition that does not come true is a failure

TOML = """
[bot]
language = "en"
[platform]
base_url = "http://127.0.0.1:{platform}"
app_id = "sim-app"
app_secret = "${{RELAY_APP_SECRET}}"
encoding_aes_key = "${{RELAY_AES_KEY}}"
timeout = "2s"
[server]
port = {public}
callback_path = "/callback/${{RELAY_CALLBACK_SECRET}}"
[console]
port = {private}
password = "${{RELAY_CONSOLE_PASSWORD}}"
[storage]
spool = "spool"
[delivery]
confirm_after = "1s"
resolve_within = "2s"
log_calls_per_minute = 200
repair_calls_per_minute = 240
{routes}
[[plugins.keyword_reply.rules]]
name = "price"
contains = ["price"]
reply = "100 yuan"
stop = false
"""
ROUTE = """
[[plugins.group_mirror.routes]]
name = "team {team}"
between = ["{rooms[0]}", "{rooms[1]}", "{rooms[2]}"]
"""


def account(team: int) -> str:
    """The account of ours that serves a team."""
    return f"168885000000000{team}"


def rooms(team: int) -> tuple[str, str, str]:
    """The team's rooms, mirrored to each other."""
    return (f"R:1095000000000001{team}", f"R:1095000000000002{team}", f"R:1095000000000003{team}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class LiveBot:
    """`relay run` in a session of its own, so that all of it can be killed at once."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.folder = folder
        self.config = folder / "bot.toml"
        platform, self.public, self.private = ports
        routes = "".join(ROUTE.format(team=team, rooms=rooms(team)) for team in range(TEAMS))
        text = TOML.format(platform=platform, public=self.public, private=self.private, routes=routes)
        self.config.write_text(text, "utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Ours, with secrets; what Python compiles is kept, as it is wherever a bot is installed."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, **SECRETS}

    async def start(self) -> None:
        """Start all roles, and wait until the public door answers and the sender has begun."""
        self._spawn()
        await until(self._ready)

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "relay", "run", "--config", str(self.config)]
        with (self.folder / "bot.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    async def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "bot.log").read_text()[-3000:]
        with contextlib.suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.public}/readyz") as answer,
            ):
                return answer.status == 200
        return False

    async def kill(self) -> None:
        """kill -9 of every process of the bot at once, the supervisor first: nothing is started again."""
        assert self.process is not None
        self.process.kill()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self.process.wait)

    def pids(self, *, wardens: bool = True) -> list[int]:
        """Every process of the bot that lives: those of its session, whatever their group."""
        assert self.process is not None
        asked = ["ps", "-A", "-o", "pid=,stat=,comm="]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        living = [(int(pid), name) for pid, stat, name in _three(told) if stat[0] != "Z"]
        counted = [pid for pid, name in living if wardens or name not in WARDENS]
        return [pid for pid in counted if _session(pid) == self.process.pid]

    async def stop(self) -> int:
        """SIGTERM to the supervisor; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def pid(self, role: str) -> int:
        """The process that has a role now, by the log; waits for one."""
        serving: list[int] = []
        while not serving:  # whoever was found may be gone at the next look
            await until(lambda: self._serving(role))
            serving = self._serving(role)
        return serving[-1]

    def _serving(self, role: str) -> list[int]:
        serving = self.told("role_serving", role=role)
        pids = [int(line["pid"]) for line in serving or self.told(f"{role}_loaded")]  # the fork server
        return [pid for pid in pids if not gone(pid)]

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines with this event and these fields, so far."""
        lines = (self.folder / "bot.log").read_text("utf-8", "replace").splitlines(keepends=True)
        near = f'"event": "{event}"'  # whoever looks every 50 ms must not read all of it as JSON
        read = [json.loads(line) for line in lines if near in line and line.endswith("\n")]
        return [line for line in read if {"event": event, **fields}.items() <= line.items()]

    async def command(self, *words: str) -> Any:
        """What a `relay` command with --json prints."""
        full = [
            sys.executable,
            "-m",
            "relay",
            *words,
            "--json",
            "--config",
            str(self.config),
        ]
        process = await asyncio.create_subprocess_exec(*full, env=self.environment, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0, out
        return json.loads(out)


def _three(told: str) -> list[list[str]]:
    return [line.split(None, 2) for line in told.splitlines()]


def gone(pid: int) -> bool:
    """Whether this process has ended, buried or not; cheap, since the simulator waits meanwhile."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:  # it went between the two looks, or there is no /proc
        return Path("/proc").is_dir()


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:  # it went meanwhile, or is none of ours
        return -1


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Return once the condition holds; fail after too long."""
    async with asyncio.timeout(patience):
        while True:
            held = condition()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[tuple[Simulator, LiveBot]]:
    """A simulator on a socket, and a bot that is not started yet; both end with the block."""
    ports = free_ports(3)
    bot = LiveBot(folder, ports)
    path = SECRETS["RELAY_CALLBACK_SECRET"]
    url = f"http://127.0.0.1:{bot.public}/callback/{path}"
    simulator = create_simulator(SimulatorSettings(callback_url=url, port=ports[0]))
    simulator.add_contact(CUSTOMER, "Customer")
    for team in range(TEAMS):
        simulator.add_account(account(team), f"Assistant {team}")
        for room in rooms(team):
            simulator.add_room(room, room, [account(team), CUSTOMER])
    server = SimulatorServer(simulator, "127.0.0.1", ports[0])
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield simulator, bot
    finally:
        if bot.process is not None and bot.process.poll() is None:
            await bot.kill()
        server.should_exit = True
        await serving
