"""kill -9 while the database is looked after: in a removal, in a vacuum, between them, and in a checkpoint.

RELAY_POINTS says how many kills there are at each (50), half of them of everything and not of one role only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import apsw
import pytest
from bots import callback, entry
from faults.evidence import rows
from faults.halting import sitecustomize as halting
from faults.parts import parts
from faults.scene import EVERYTHING, Scene, scene
from faults.test_disks import traced
from processes.live import LiveBot, gone, until
from processes.test_retention import with_a_past

from relay.testing import SECRETS

KILLS = int(os.environ.get("RELAY_POINTS", "50"))
SEED = os.environ.get("RELAY_SEED", "20261122")
PART = 25  # kills of one bot
PARTS = parts(KILLS, PART)
HALTING = Path(halting.__file__).parent
PLACES = {halting.IN_A_REMOVAL: 8_000, halting.IN_A_VACUUM: 500, halting.BETWEEN: 8_000}
"""Where it is killed, and how many messages are there from long ago: a vacuum comes when they are gone."""
YOUNG = 100  # of these, whose deliveries somebody touched lately
FREE = 40_000_000  # bytes in the file that are to be given back
PASSAGES = 6
RATE = 10.0  # messages a second, where the sender is traced and slow
WRITES = 60  # of pages
PATIENCE = 90.0  # seconds
MESSAGES = "SELECT account, svrid FROM messages"

_YOUNG = f"UPDATE deliveries SET updated_at = {{now}} WHERE id <= {YOUNG}"
_FREE = f"CREATE TABLE room (b BLOB); INSERT INTO room VALUES (zeroblob({FREE})); DROP TABLE room"
_LEFT = {
    "messages": "SELECT count(*) FROM messages WHERE account = 'a'",
    "deliveries": "SELECT count(*) FROM deliveries WHERE account = 'a'",
    "attempts": "SELECT count(*) FROM attempts WHERE account = 'a'",
    "traces": "SELECT count(*) FROM traces WHERE rule = 'all' AND reason = 'to R:1'",
}
_SEEN = "SELECT count(*) FROM seen WHERE account = 'a'"
_TALLY = """
SELECT state, (SELECT count(*) FROM deliveries WHERE deliveries.state = tally.state) - deliveries FROM tally
"""


def past(folder: Path, messages: int) -> None:
    """What is to go, what is to stay, and room to give back."""
    with_a_past(folder, messages)
    with contextlib.closing(apsw.Connection(str(folder / "relay.db"))) as database:
        database.execute(_YOUNG.format(now=time.time_ns() // 1_000_000))
        database.execute(_FREE)
        database.execute("UPDATE messages SET chat = 'R:1'")  # or hundreds are to be fetched after each kill


def stopped(bot: LiveBot) -> bool:
    """Whether one of its processes stands still."""
    for pid in bot.pids():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return True
    return False


async def repeat(bot: LiveBot, messages: int) -> None:
    """Push some of what was there before once more."""
    url = f"http://127.0.0.1:{bot.public}/callback/{SECRETS['RELAY_CALLBACK_SECRET']}"
    async with aiohttp.ClientSession() as session:
        for number in range(1, messages, messages // 200):
            said = entry(f"past{number}", msg_time=time.time_ns() // 1_000_000)
            async with session.post(url, data=callback(said, account="a")) as answer:
                assert answer.status == 200


def wrong(folder: Path, messages: int) -> list[str]:
    """What is not as it should be in what came of the past."""
    left = {name: rows(folder, sql)[0][0] for name, sql in _LEFT.items()}
    found = [f"{number} {name} are left" for name, number in left.items() if number != YOUNG]
    found += [f"{messages - seen} ids are forgotten" for (seen,) in rows(folder, _SEEN) if seen != messages]
    found += [f"{number} {state} are miscounted" for state, number in rows(folder, _TALLY) if number]
    found += [str(row) for row in rows(folder, "PRAGMA foreign_key_check")]
    return found + [str(row[0]) for row in rows(folder, "PRAGMA integrity_check") if row != ("ok",)]


def forget_the_past(folder: Path) -> None:
    """The checker is to see only what the platform of today knows of."""
    with contextlib.closing(apsw.Connection(str(folder / "relay.db"))) as database:
        database.execute(
            "DELETE FROM deliveries WHERE account = 'a'; DELETE FROM messages WHERE account = 'a'"
        )


@contextlib.asynccontextmanager
async def looking_after(
    folder: Path, monkeypatch: pytest.MonkeyPatch, messages: int, seed: str
) -> AsyncIterator[Scene]:
    """A bot with so many messages of long ago, whose retention stands still where it is asked to."""
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HALTING), *filter(None, [path])]))
    monkeypatch.setenv("RELAY_HALT", str(folder / "halt"))
    past(folder, messages)
    async with scene(folder, seed) as stage:
        yield stage


async def went(stage: Scene, messages: int) -> list[str]:
    """Wait until all is gone that is to go, try to repeat some of it, and tell what is wrong then."""
    folder = stage.bot.folder
    halting.ask(folder / "halt", halting.NOWHERE)
    await until(lambda: rows(folder, _LEFT["messages"]) == [(YOUNG,)], PATIENCE)
    await repeat(stage.bot, messages)
    await stage.rest()
    found = wrong(folder, messages)
    forget_the_past(folder)
    return found


@pytest.mark.long
@pytest.mark.parametrize(("part", "kills"), PARTS)
@pytest.mark.parametrize("place", list(PLACES))
def test_whoever_is_killed_while_the_past_goes_everything_holds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    part: int,
    kills: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    async def go() -> None:
        seed = f"{SEED}/{place}/{part}"
        async with looking_after(tmp_path, monkeypatch, PLACES[place], seed) as stage:
            async with stage.talk():
                for number in range(kills):
                    progress(f"{number} of {kills} kills")
                    halting.ask(tmp_path / "halt", place, stage.chance.randint(1, PASSAGES))
                    await until(lambda: stopped(stage.bot))
                    await stage.kill(stage.chance.choice(("sender", EVERYTHING)))
            progress("waits for everything to rest")
            assert await went(stage, PLACES[place]) == []
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_a_retention_that_forgets_ids_too_early_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> list[str]:
        async with looking_after(tmp_path, monkeypatch, 1_000, "remember") as stage:
            halting.ask(tmp_path / "halt", halting.NOWHERE)
            await until(lambda: rows(tmp_path, _SEEN) == [(0,)], PATIENCE)
            return await went(stage, 1_000)

    monkeypatch.setenv("RELAY_UNGUARDED", "remember")
    found = asyncio.run(go())
    assert any("ids are forgotten" in words for words in found)
    assert any("messages are left" in words for words in found)


async def kill_in_a_checkpoint(stage: Scene, victim: str) -> None:
    """Kill the sender, which brings the log home, between two pages of the database, or all with it."""
    assert stage.bot.process is not None
    sender = await stage.bot.pid("sender")
    if victim == EVERYTHING:  # so that nobody follows the sender
        stage.bot.process.send_signal(signal.SIGSTOP)
    when = f"inject=pwrite64:signal=SIGKILL:when={stage.chance.randint(2, WRITES)}"
    database = str(stage.bot.folder / "relay.db")
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-q", "-p", str(sender), "-P", database, "-e", "trace=pwrite64", "-e", when),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(lambda: gone(sender), PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            strace.kill()  # when asked to end, it waits for threads that wait for it
        await strace.wait()
    if victim == EVERYTHING:
        await stage.end(EVERYTHING)
    else:
        stage.kills[victim] += 1


@traced
@pytest.mark.long
@pytest.mark.parametrize(("part", "kills"), PARTS)
def test_whoever_is_killed_in_a_checkpoint_everything_holds(
    tmp_path: Path,
    part: int,
    kills: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    async def go() -> None:
        async with scene(tmp_path, f"{SEED}/checkpoint/{part}") as stage:
            async with stage.talk(RATE):
                for number in range(kills):
                    progress(f"{number} of {kills} kills")
                    await kill_in_a_checkpoint(stage, stage.chance.choice(("sender", EVERYTHING)))
                    await stage.revive()
            progress("waits for everything to rest")
            await stage.rest()
            assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@traced
@pytest.mark.long
def test_what_a_checkpoint_leaves_is_not_whole_without_the_log(tmp_path: Path) -> None:
    """Where in the checkpoint the kill comes is chance, so that some leave all that matters in its place."""
    assert any(is_broken_without_its_log(tmp_path / str(each)) for each in range(5))


def is_broken_without_its_log(folder: Path) -> bool:
    async def go() -> None:
        async with scene(folder, folder.name) as stage, stage.talk():
            await kill_in_a_checkpoint(stage, EVERYTHING)

    folder.mkdir()
    asyncio.run(go())
    everything = set(rows(folder, MESSAGES))
    (folder / "relay.db-wal").unlink()
    assert everything
    try:
        whole = rows(folder, "PRAGMA integrity_check") == [("ok",)]
        return not whole or bool(everything - set(rows(folder, MESSAGES)))
    except apsw.CorruptError:
        return True
