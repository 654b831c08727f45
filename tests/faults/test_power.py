"""Power cuts: what was answered, and what was about to be sent, is on the disk itself (contract 4.1).

The bot's folder is on a disk in a file. At random moments all of the bot is stopped, and the file copied: the
copy is all that a power cut would have left. RELAY_POWER_CUTS says how many there are (200). Only root may
mount such a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest
from faults.checker import Evidence, Pushed, Rule, check
from faults.evidence import gather, now, pushes_of, rows
from faults.image import Disk, disk
from faults.parts import parts
from faults.scene import EVERYTHING, Scene, scene
from faults.test_controls import without
from processes.live import LiveBot, account, until

from benchmarks.callbacks import Talk
from benchmarks.load import Order, push
from relay.clock import SystemClock
from relay.receiving.intake import Intake, opener
from relay.store.journal import beside
from relay.store.sqlite import SqliteStore
from relay.testing import SECRETS

__all__ = ["disk"]

pytestmark = pytest.mark.alone  # one after the other: the load of four leaves none its machine

CUTS = int(os.environ.get("RELAY_POWER_CUTS", "200"))
SEED = os.environ.get("RELAY_SEED", "20261122")
RESTARTS = 5  # with what is left
PART = 25  # cuts of one bot
PARTS = parts(CUTS, PART)
KEY = SECRETS["RELAY_AES_KEY"].encode()
RATE, LASTS = 150.0, 90.0  # a second, and seconds
PREPARATION = 120.0  # seconds, at most, in which the load makes its bodies: other tests want the machine, too
QUIET = "R:10950000000000099"  # a room that no route and no rule is about
BEGUN = f"SELECT count(*) FROM messages WHERE chat = '{QUIET}'"
TALK = Talk(["{n}" + "x" * 1500], [(account(0), QUIET)])  # long: the journal is to begin anew now and then
SOON = 500.0  # ms: what takes longer may have been answered from the spool, which a power cut empties
HEARD = 0.03  # seconds in which whatever the bot said before it was stopped is heard
LEFT = (Rule.KEPT, Rule.ONCE, Rule.CAUSE)


@dataclass(frozen=True, slots=True)
class Cut:
    """What the disk said after a power cut, and what others had seen by then."""

    at: float  #: in ms
    evidence: Evidence
    integrity: str

    def violations(self, load: list[Pushed] = []) -> Counter[Rule]:  # noqa: B006 - nobody changes it
        """What was lost."""
        pushes = [each for each in (*self.evidence.pushes, *load) if self._kept(each)]
        found = check(replace(self.evidence, pushes=pushes))
        return Counter(violation.rule for violation in found if violation.rule in LEFT)

    def _kept(self, pushed: Pushed) -> bool:
        """Whether it was answered before the cut, and from disk."""
        return pushed.status is not None and pushed.ended < self.at and pushed.ended - pushed.began < SOON


class Power:
    """A scene on such a disk, whose power can be cut unnoticed by the bot."""

    def __init__(self, stage: Scene, disk: Disk) -> None:
        self.stage = stage
        self._disk = disk
        self._cuts = 0

    @contextlib.asynccontextmanager
    async def stopped(self) -> AsyncIterator[tuple[float, Disk]]:
        """All of the bot stands still; since when nobody else heard anything of it, and what the disk has."""
        self._cuts += 1
        folder = self._disk.folder.with_name(f"cut{self._cuts}")
        stopped = await everything_stopped(self.stage.bot)
        try:
            copy = await asyncio.to_thread(self._disk.cut, folder.with_suffix(".img"), folder)
            await asyncio.sleep(HEARD)
            yield now() - HEARD * 500, copy
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def cut(self) -> Cut:
        """Look what would be left now."""
        ledger = self.stage.simulator.ledger
        async with self.stopped() as (at, copy):
            begun = len(ledger.requests)
        try:
            return await self._look(at, begun, copy)
        finally:
            copy.file.unlink()

    async def cut_and_start(self) -> None:
        """Have the bot end now, and begin again with what is left."""
        async with self.stopped() as (_, copy):
            await self.stage.end(EVERYTHING)
        self._disk.unmount()
        copy.file.replace(self._disk.file)
        self._disk.mount()
        await self.stage.revive()

    async def _look(self, at: float, begun: int, copy: Disk) -> Cut:
        await asyncio.to_thread(copy.mount)
        try:
            integrity = await asyncio.to_thread(lambda: asyncio.run(recovered(copy.folder)))
            found = gather(self.stage.simulator, copy.folder, self.stage.watch)
        finally:
            await asyncio.to_thread(copy.unmount)
        seen = [effect for effect in found.effects if effect.request < begun]
        return Cut(at, replace(found, effects=seen), integrity)


async def everything_stopped(bot: LiveBot) -> list[int]:
    """SIGSTOP for all of it, those included that are being started; what is in the kernel ends first."""
    stopped: list[int] = []
    while (pids := bot.pids()) != stopped:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped = pids
    await until(lambda: all(map(_stands_still, stopped)))
    return stopped


def _stands_still(pid: int) -> bool:
    states = []
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            states.append(task.read_text().rpartition(")")[2].split()[0])
    return all(state in "TtZX" for state in states)


async def recovered(folder: Path) -> str:
    """Take in what the journals have, as a receiver does at its start; what SQLite says of the database.

    The spool is left alone: it is in memory, as a rule.
    """
    store = SqliteStore(folder / "relay.db", SystemClock(), patient=True)
    journal = beside(folder / "relay.db", store.origin)
    intake = Intake(store, [journal], opener(KEY, allow_plaintext=False))
    await intake.read_all()
    await intake.finish(1.0)
    store.close()
    intake.let_go()
    journal.close()
    return ", ".join(str(row[0]) for row in rows(folder, "PRAGMA integrity_check"))


@contextlib.asynccontextmanager
async def pushing(bot: LiveBot) -> AsyncIterator[list[Pushed]]:
    """More callbacks than the platform of the scene can push; what became of them is told at the end."""
    enough, pushed = asyncio.Event(), list[Pushed]()
    order = Order(bot.public, f"/callback/{SECRETS['RELAY_CALLBACK_SECRET']}", RATE, LASTS)
    load = asyncio.create_task(push(order, TALK, KEY, enough))
    try:
        await until(lambda: rows(bot.folder, BEGUN) != [(0,)], PREPARATION)
        yield pushed
    finally:
        enough.set()
        pushed += pushes_of(await load, TALK)


async def cuts(
    disk: Disk, seed: str, count: int, said: Callable[[str], None] = lambda _: None
) -> list[tuple[Cut, Counter[Rule]]]:
    """Cut the power so many times under load, each time with what was lost."""
    async with scene(disk.folder, seed) as stage:
        disk.flush()
        power = Power(stage, disk)
        async with pushing(stage.bot) as load, stage.talk():
            made = []
            for number in range(count):
                said(f"{number} of {count} power cuts")
                await asyncio.sleep(stage.chance.uniform(0.05, 0.5))
                made.append(await power.cut())
        return [(cut, cut.violations(load)) for cut in made]


@pytest.mark.long
@pytest.mark.parametrize(("part", "count"), PARTS)
def test_a_power_cut_loses_nothing_that_was_answered_and_no_intent(
    disk: Disk,
    part: int,
    count: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    made = asyncio.run(cuts(disk, f"{SEED}/{part}", count, progress))
    lost = sum((found for _, found in made), Counter[Rule]())
    record_property("figures", {"faults": count, **made[-1][0].evidence.rows()})
    record_property("violations", {str(rule): times for rule, times in lost.items()})
    assert made[-1][0].evidence.effects, "nothing took effect: there was no load"
    assert {cut.integrity for cut, _ in made} == {"ok"}
    assert lost == {}


async def lost_within(disk: Disk, guard: str, count: int) -> set[Rule]:
    """Which rules did not hold in one or another of so many power cuts."""
    return {rule for _, found in await cuts(disk, guard, count) for rule in found}


@pytest.mark.long
@pytest.mark.parametrize(
    ("guard", "rules"), [("synchronous", {Rule.CAUSE, Rule.KEPT}), ("synced journal", {Rule.KEPT})]
)
def test_a_sync_that_is_missing_is_missed(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, guard: str, rules: set[Rule]
) -> None:
    without(guard, monkeypatch)
    assert rules <= asyncio.run(lost_within(disk, guard, 8))


@pytest.mark.long
def test_everything_comes_to_rest_after_power_cuts(
    disk: Disk, record_property: Callable[[str, object], None], progress: Callable[[str], None]
) -> None:
    async def go() -> None:
        async with scene(disk.folder, SEED) as stage:
            disk.flush()
            power = Power(stage, disk)
            async with stage.talk():
                for number in range(RESTARTS):
                    progress(f"{number} of {RESTARTS} power cuts")
                    await asyncio.sleep(stage.chance.uniform(0.5, 2))
                    await power.cut_and_start()
            progress("waits for everything to rest")
            await stage.rest()
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_a_journal_that_was_removed_does_not_come_back(disk: Disk) -> None:
    database = disk.folder / "relay.db"
    holder = SqliteStore(database, SystemClock())
    left = beside(database, holder.origin)
    left.append([(b"no callback", 1)])
    left.close()
    write_over_the_log(database)
    disk.flush()
    asyncio.run(recovered(disk.folder))
    copy = disk.cut(disk.file.with_name("cut.img"), disk.folder.with_name("cut"))
    with copy.mounted() as folder:
        asyncio.run(recovered(folder))
        assert rows(folder, "SELECT count(*) FROM damaged") == [(1,)]
    holder.close()


def write_over_the_log(database: Path) -> None:
    """From here on a commit leaves the size of the log alone, and a sync of it all other files."""
    with contextlib.closing(apsw.Connection(str(database))) as connection:
        connection.execute("CREATE TABLE room (b BLOB)")
        connection.execute("INSERT INTO room VALUES (zeroblob(400000)); DROP TABLE room")
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
