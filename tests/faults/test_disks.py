"""The second, whatever happens to the disk: answered in time, kept once, and counted (contract 4.1).

With real processes. A disk that fills is a small file system in memory, which only root may mount; slow and
broken syncs are injected by strace.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import apsw
import pytest
from processes.live import LiveBot, account, platform, until

from benchmarks.callbacks import Talk
from benchmarks.load import Order, Report, push
from relay.testing import SECRETS

KEY = SECRETS["RELAY_AES_KEY"].encode()
RATE = 100.0
SECOND = 1000.0
QUIET = "R:10950000000000099"  # a room that no route and no rule is about
COUNTED = "SELECT value FROM counters WHERE name = ?"

root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root may mount")
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def rows(bot: LiveBot, sql: str, *given: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(bot.folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        return connection.execute(sql, given).fetchall()
    finally:
        connection.close()


def counted(bot: LiveBot, name: str) -> int:
    found = rows(bot, COUNTED, name)
    return int(str(found[0][0])) if found else 0


async def ready(bot: LiveBot) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bot.public}/readyz") as answer,
    ):
        return answer.status == 200


def pushing(bot: LiveBot, seconds: float) -> asyncio.Task[Report]:
    order = Order(bot.public, f"/callback/{SECRETS['RELAY_CALLBACK_SECRET']}", RATE, seconds)
    return asyncio.create_task(push(order, Talk(["hello {n}"], [(account(0), QUIET)]), KEY))


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "relay", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def traced_by(task: Path) -> int:
    """The process that stops this thread at each of its calls, or 0."""
    return int((task / "status").read_text().partition("TracerPid:")[2].split()[0])


@contextlib.asynccontextmanager
async def faulty(pid: int, *faults: str) -> AsyncIterator[None]:
    """Have the kernel's syncs of one process fail or take long, until the block ends."""
    words = [word for fault in faults for word in ("-e", f"inject={fault}")]
    tracing = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-q", "-p", str(pid), "-e", "trace=fdatasync,fsync", *words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(lambda: all(traced_by(task) for task in Path(f"/proc/{pid}/task").iterdir()))
        yield
    finally:
        tracing.terminate()
        await tracing.wait()


async def check(bot: LiveBot, report: Report) -> None:
    """Nobody waited too long, and everything is there, once."""
    assert report.outcomes() == {"answered": len(report.pushes)}
    assert report.late(SECOND) == []
    everything = [(len(report.pushes), len(report.pushes))]
    await until(lambda: rows(bot, "SELECT count(*), count(DISTINCT svrid) FROM messages") == everything, 60)
    await until(lambda: ready(bot))


@root
@pytest.mark.long
def test_a_disk_that_fills_makes_no_answer_late_and_loses_nothing(tmp_path: Path) -> None:
    async def go(folder: Path) -> None:
        async with platform(folder) as (_, bot):
            await bot.start()
            load = pushing(bot, 10)
            await until(lambda: rows(bot, "SELECT count(*) FROM messages")[0][0] != 0)
            with contextlib.suppress(OSError), (folder / "filler").open("wb") as filler:
                while True:
                    filler.write(bytes(1 << 20))

            async def unready() -> bool:
                return not await ready(bot)

            await until(unready)
            report = await load
            assert not await ready(bot)
            (folder / "filler").unlink()
            await check(bot, report)
            assert await bot.stop() == 0

    with small_disk(tmp_path / "disk", "80m") as folder:
        asyncio.run(go(folder))


@traced
@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.1, 3, 10])
def test_a_sync_that_takes_long_makes_no_answer_late_and_loses_nothing(
    tmp_path: Path, seconds: float
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            delay = f"delay_enter={round(seconds * 1_000_000)}"
            async with faulty(await bot.pid("receiver"), f"fdatasync,fsync:{delay}"):
                report = await pushing(bot, 15)
            await check(bot, report)
            assert seconds < 1 or counted(bot, "acked_before_durable_total") > 0
            assert await bot.stop() == 0

    asyncio.run(go())


@traced
@pytest.mark.long
def test_a_sync_that_fails_makes_no_answer_late_and_loses_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            async with faulty(await bot.pid("receiver"), "fdatasync,fsync:error=EIO"):
                report = await pushing(bot, 10)
                assert not await ready(bot)
            await check(bot, report)
            assert counted(bot, "acked_before_durable_total") > 0
            assert await bot.stop() == 0

    asyncio.run(go())
