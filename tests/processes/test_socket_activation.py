"""Sockets that systemd opened: a restart of the whole bot then refuses no connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.live import LiveBot, free_ports, until

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n"
AS_SYSTEMD = """
import os, sys
passed, pid, *command = sys.argv[1:]
if passed != "3":
    os.dup2(int(passed), 3)
    os.close(int(passed))
os.environ["LISTEN_PID"] = pid or str(os.getpid())
os.execv(command[0], command)
"""


class Activated(LiveBot):
    """A bot that is given one listening socket, as systemd gives it."""

    def __init__(self, folder: Path, listening: socket.socket, name: str, port: int, pid: str = "") -> None:
        super().__init__(folder, [*free_ports(1), port, *free_ports(1)])
        self._listening = listening
        self._name = name
        self._pid = pid

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "LISTEN_FDS": "1", "LISTEN_FDNAMES": self._name}

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it, and do not wait for anything."""
        relay = [sys.executable, "-m", "relay", "run", "--config", str(self.config)]
        held = self._listening.fileno()
        with (self.folder / "bot.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(held), self._pid, *relay],
                env=self.environment,
                pass_fds=[held],
                stderr=log,
                start_new_session=True,
            )
        return self.process


@contextlib.contextmanager
def held_by_systemd() -> Iterator[tuple[socket.socket, int]]:
    """A socket that listens, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        os.set_inheritable(listening.fileno(), True)
        yield listening, listening.getsockname()[1]


def knock(port: int) -> socket.socket:
    """A request on its way; nobody may be there to answer it yet."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(REQUEST)
    return connection


async def answer(connection: socket.socket) -> bytes:
    with connection:
        return (await asyncio.to_thread(connection.recv, 65536)).splitlines()[0]


@pytest.mark.parametrize(("name", "times"), [("relay.socket", 2), ("public", 1)])
def test_what_connects_while_the_bot_starts_is_answered(tmp_path: Path, name: str, times: int) -> None:
    async def go() -> None:
        with held_by_systemd() as (listening, port):
            elsewhere = port if name == "relay.socket" else free_ports(1)[0]
            bot = Activated(tmp_path, listening, name, elsewhere)
            try:
                for _ in range(times):
                    early = knock(port)
                    bot.spawn()
                    assert await answer(early) == b"HTTP/1.1 200 OK"
                    assert await bot.stop() == 0
            finally:
                if bot.process is not None and bot.process.poll() is None:
                    await bot.kill()

    asyncio.run(go())


def test_a_socket_that_no_door_answers_stops_the_start(tmp_path: Path) -> None:
    with held_by_systemd() as (listening, port):
        bot = Activated(tmp_path, listening, "relay.socket", free_ports(1)[0])
        assert bot.spawn().wait(30) == 2
        assert f"127.0.0.1:{port}" in (tmp_path / "bot.log").read_text()


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what others hold")
def test_nobody_holds_a_passed_socket_but_who_serves_on_it(tmp_path: Path) -> None:
    def holds(pid: int, listening: socket.socket) -> bool:
        with contextlib.suppress(FileNotFoundError):  # closed while we look
            held = [each.stat().st_ino for each in Path(f"/proc/{pid}/fd").iterdir() if each.exists()]
            return os.fstat(listening.fileno()).st_ino in held
        return holds(pid, listening)

    async def go() -> None:
        with held_by_systemd() as (listening, port):
            bot = Activated(tmp_path, listening, "public", port)
            try:
                bot.spawn()
                roles = ("receiver", "router", "sender", "forkserver")
                pids = {role: await bot.pid(role) for role in roles}
                assert [role for role in roles if holds(pids[role], listening)] == ["receiver"]
            finally:
                await bot.kill()

    asyncio.run(go())


def test_a_socket_that_was_passed_to_another_process_is_left_alone(tmp_path: Path) -> None:
    async def go() -> None:
        with held_by_systemd() as (listening, port):
            bot = Activated(tmp_path, listening, "public", free_ports(1)[0], pid="1")
            try:
                early = knock(port)
                bot.spawn()
                await until(bot._ready)
                early.settimeout(0.2)
                with early, pytest.raises(TimeoutError):
                    early.recv(1)
            finally:
                await bot.kill()

    asyncio.run(go())
