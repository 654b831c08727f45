"""Thousands who hold the public door open, at length; `test_connections.py` has the rules one by one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from bots import callback, entry
from processes.live import LiveBot, free_ports
from receiver.door import head, post, statuses

from relay.serving.connections import room_for_connections

pytestmark = pytest.mark.long

SLOW = 2000
WITHIN = 15.0  # seconds in which the slow are cut
PARTS = (b"", b"PO", head()[:-2], post(b"x" * 1000)[:-9], post(b"x" * 9000)[:-4000])
"""How far the slow get."""


class Receiver(LiveBot):
    """The public door of a bot, alone, in a process of its own."""

    files = 0  #: that it may open, where that is limited

    def _spawn(self) -> None:
        limited = ["sh", "-c", f'ulimit -n {self.files}; exec "$@"', "sh"] if self.files else []
        command = [
            *limited,
            sys.executable,
            "-m",
            "relay",
            "run",
            "--role",
            "receiver",
            "--config",
            str(self.config),
        ]
        with (self.folder / "bot.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def megabytes(self, what: str) -> float:
        """`VmRSS` is what it holds now, `VmHWM` the most it ever held."""
        assert self.process is not None
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(rf"^{what}:\s+(\d+) kB", told, re.MULTILINE)[0]) / 1024

    async def dawdle(self, sent: bytes) -> float:
        """Seconds until a connection that gets no further than this is ended."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.public)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            await writer.drain()
            await reader.read()
        writer.close()
        return time.monotonic() - begun

    def push(self, body: bytes) -> float:
        """Seconds until a callback on a connection of its own is answered."""
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.public), timeout=30) as connection:
            connection.sendall(post(body))
            answers = b"".join(iter(lambda: connection.recv(4096), b""))
        assert statuses(answers) == [200]
        return time.monotonic() - begun

    def push_until(self, over: threading.Event) -> list[float]:
        """One good callback after the other, in a thread: the slow ones keep their own loop busy."""
        times: list[float] = []
        while not over.is_set():
            times.append(self.push(callback(entry(str(len(times) + 1)))))
            time.sleep(0.01)
        return times

    async def outlive(self, slow: Sequence[asyncio.Task[float]]) -> list[float]:
        """How long good callbacks take until all the slow are gone."""
        over = threading.Event()
        good = asyncio.create_task(asyncio.to_thread(self.push_until, over))
        await asyncio.wait(slow)
        over.set()
        return await good


@contextlib.asynccontextmanager
async def receiving(folder: Path, files: int = 0) -> AsyncIterator[Receiver]:
    """A door that is open until the block ends."""
    room_for_connections(4 * SLOW)
    bot = Receiver(folder, free_ports(3))
    bot.files = files
    await bot.start()
    try:
        yield bot
    finally:
        await bot.kill()


def told(times: Sequence[float]) -> str:
    """Median, 99th percentile and worst of some answer times, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[int(len(ordered) * 0.99)]
    return f"p50 {statistics.median(ordered) * 1000:.1f} p99 {p99 * 1000:.1f} max {ordered[-1] * 1000:.1f} ms"


def test_thousands_of_slow_clients_are_cut_in_time_and_keep_nobody_waiting(tmp_path: Path) -> None:
    async def go() -> None:
        async with receiving(tmp_path) as bot:
            slow = [asyncio.create_task(bot.dawdle(PARTS[n % len(PARTS)])) for n in range(SLOW)]
            good = await bot.outlive(slow)
            times = await asyncio.gather(*slow)
            print(f"\n{SLOW} slow: cut after {min(times):.1f} to {max(times):.1f} s", end="")
            print(f", {bot.megabytes('VmHWM'):.0f} MB at the most")
            print(f"{len(good)} good meanwhile: {told(good)}")
            assert max(times) < WITHIN
            assert max(good) < 1.0

    asyncio.run(go())


def test_memory_is_bounded_whatever_unfinished_bodies_come(tmp_path: Path) -> None:
    """2,000 bodies of 8 MB that stop after 400 KB: 800 MB, of which 64 may be held."""
    part = head(headers="content-length: 8000000\r\n") + b"x" * 400_000

    async def go() -> None:
        async with receiving(tmp_path) as bot:
            await asyncio.to_thread(bot.push, callback(entry()))
            before = bot.megabytes("VmRSS")
            slow = [asyncio.create_task(bot.dawdle(part)) for _ in range(SLOW)]
            good = await bot.outlive(slow)
            most = bot.megabytes("VmHWM")
            print(
                f"\n{before:.0f} MB before, {most:.0f} MB at the most, {bot.megabytes('VmRSS'):.0f} MB after"
            )
            print(f"{len(good)} good meanwhile: {told(good)}")
            assert most < before + 256

    asyncio.run(go())


def test_good_and_bad_bodies_take_the_same_time_within_noise(tmp_path: Path) -> None:
    async def go() -> None:
        async with receiving(tmp_path) as bot:
            times: dict[str, list[float]] = {"good": [], "padding": [], "no JSON": [], "bad base64": []}
            for number in range(1, 1001):
                body = callback(entry(str(number)))
                raw = base64.b64decode(body)
                bodies = {
                    "good": body,
                    "padding": base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])),
                    "no JSON": base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]),
                    "bad base64": body[:-2] + b"!!",
                }
                for kind in sorted(bodies, key=lambda _: os.urandom(1)):
                    times[kind].append(await asyncio.to_thread(bot.push, bodies[kind]))
            medians = {kind: statistics.median(each) for kind, each in times.items()}
            for kind, each in times.items():
                print(f"\n{kind}: {told(each)}, {medians[kind] / medians['good']:.3f} of a good one", end="")
            assert all(0.8 < median / medians["good"] < 1.25 for median in medians.values())

    asyncio.run(go())


def test_the_limit_of_files_keeps_no_good_callback_out(tmp_path: Path) -> None:
    """A process that may open 1,024 files, and 2,000 who connect and say nothing."""

    async def go() -> None:
        async with receiving(tmp_path, files=1024) as bot:
            slow = [asyncio.create_task(bot.dawdle(b"")) for _ in range(SLOW)]
            good = await bot.outlive(slow)
            print(f"\n{len(good)} good meanwhile: {told(good)}")
            assert max(good) < 1.0

    asyncio.run(go())


def test_the_file_limit_is_raised_as_far_as_it_goes() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert room_for_connections(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
        assert room_for_connections(10**9) == before[1] - 128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
