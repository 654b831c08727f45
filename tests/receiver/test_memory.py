"""A receiver takes hostile bodies by the ten thousand, and is no larger afterwards."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import hostile
import pytest
from bots import sealed
from processes.live import LiveBot, free_ports, until

from relay.testing import SECRETS

AT_ONCE = 16
GROWTH = 25  # MB that may come and go: SQLite's page cache, allocators, one large body in hand
SMALL = [value for value in hostile.VALUES.values() if len(value) < 20_000]
LARGE = [value for value in hostile.VALUES.values() if len(value) >= 20_000]

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def bodies() -> Iterator[bytes]:
    """Hostile bodies without end: each value in each place, now and then a large one, now and then junk."""
    for number in itertools.count():
        value, field = SMALL[number % len(SMALL)], hostile.FIELDS[number // 7 % len(hostile.FIELDS)]
        if number % 200 == 0:
            value, field = LARGE[number // 200 % len(LARGE)], "content"
        odd = hostile.entry(**{"svrid": b'"%d"' % number, field: value})
        if number % 5 == 0:
            yield base64.b64encode(os.urandom(160)) if number % 2 else value
        else:
            yield sealed(hostile.envelope(odd, value))


def megabytes(pid: int) -> int:
    """What a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def push(session: aiohttp.ClientSession, url: str, source: Iterator[bytes], count: int) -> None:
    """So many bodies, some at once; each must be answered."""

    async def one(share: int) -> None:
        for body in itertools.islice(source, share):
            async with session.post(url, data=body) as answer:
                assert (answer.status, await answer.read()) == (200, b'{"errcode":0}')

    await asyncio.gather(*(one(count // AT_ONCE) for _ in range(AT_ONCE)))


async def grown(folder: Path, warm_up: int, count: int) -> int:
    """By how many MB a receiver's memory grows over `count` bodies."""
    bot = LiveBot(folder, free_ports(3))
    url = f"http://127.0.0.1:{bot.public}/callback/{SECRETS['RELAY_CALLBACK_SECRET']}"
    bot.process = start(bot)
    try:
        await until(bot._ready)
        source = bodies()
        async with aiohttp.ClientSession() as session:
            await push(session, url, source, warm_up)
            receiver = await receiver_of(bot)
            before = megabytes(receiver)
            await push(session, url, source, count)
            return megabytes(receiver) - before
    finally:
        await bot.kill()


def start(bot: LiveBot) -> subprocess.Popen[bytes]:
    """The receiver alone, under its supervisor: what it keeps is not routed."""
    command = [sys.executable, "-m", "relay", "run", "--role", "receiver", "--config", str(bot.config)]
    with (bot.folder / "bot.log").open("ab") as log:
        return subprocess.Popen(command, env=bot.environment, stdout=log, stderr=log, start_new_session=True)


async def receiver_of(bot: LiveBot) -> int:
    """The process that answers, whoever started it."""
    (found,) = [each for each in (await bot.command("status"))["processes"] if each["role"] == "receiver"]
    return int(found["pid"])


@linux
def test_memory_does_not_grow_with_hostile_bodies(tmp_path: Path) -> None:
    assert asyncio.run(grown(tmp_path, 500, 500)) <= GROWTH


@linux
@pytest.mark.long
def test_memory_does_not_grow_over_100000_hostile_bodies(tmp_path: Path) -> None:
    assert asyncio.run(grown(tmp_path, 5_000, 100_000)) <= GROWTH
