"""Callbacks that come twice, in another order, and again long after: nothing is acted on a second time.

They come from the platform, or from somebody who has kept the very bodies; also once retention has removed
the messages, whose ids are remembered for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import aiohttp
import apsw
import pytest
from faults.checker import Pushed, Rule, check
from faults.evidence import carried, now, rows
from faults.scene import Scene, scene
from faults.test_controls import seen, without
from faults.test_mixtures import duplicates
from processes.live import rooms

from relay.clock import SystemClock
from relay.sending.retention import SLACK, Retention, RetentionSettings
from relay.simulator.fault import REORDER_PATIENCE, Fault, Kind
from relay.simulator.ledger import PushRecord, PushState
from relay.store.sqlite import SqliteStore
from relay.wire.crypto import encrypt

RATE = 10  # messages a second
EACH = 5.0  # seconds of duplicates, and of a new order
AT_ONCE = 10  # bodies on their way
DAY = 86_400_000
RETAIN, REMEMBER = 30 * DAY, 180 * DAY
KEPT = ("messages", "deliveries", "attempts")
REPLAYED = (Kind.DUPLICATE, Kind.REORDER)
Told = Callable[[str, object], None]


class Later(SystemClock):
    """A time to come, in which no pause takes any."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self._by = by

    def now(self) -> int:
        """Milliseconds since 1970."""
        return super().now() + self._by

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


async def replay(stage: Scene, pushes: Sequence[PushRecord]) -> None:
    """Push the very same bodies again, in another order and several at a time."""
    left: Iterator[PushRecord] = iter(stage.chance.sample(pushes, len(pushes)))
    key = stage.simulator.settings.key

    async def work(session: aiohttp.ClientSession) -> None:
        for push in left:
            began = now()
            async with session.post(
                str(stage.simulator.callback_url), data=encrypt(push.plaintext, key)
            ) as answer:
                await answer.read()
            heard = tuple(carried(push.plaintext, "chatMsg"))
            stage.others.append(Pushed(heard, began, now(), answer.status))

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(AT_ONCE)))


async def forget(folder: Path, remember: int) -> None:
    """Let retention work as if more time than it retains anything had passed."""
    later = Later(RETAIN + 2 * SLACK)
    with contextlib.closing(SqliteStore(folder / "relay.db", later)) as store:
        await Retention(store, later, RetentionSettings(RETAIN, remember)).round()


@contextlib.contextmanager
def put_back(folder: Path) -> Iterator[None]:
    """What is removed within the block is put back beside what came since, for the checker to look at."""
    past = folder / "past.db"
    with contextlib.closing(apsw.Connection(str(folder / "relay.db"))) as database:
        database.execute("VACUUM INTO ?", (str(past),))
    yield
    database = apsw.Connection(str(folder / "relay.db"))
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    database.execute(";".join(f"DROP TRIGGER {name}" for (name,) in names))
    database.execute("ATTACH ? AS past", (str(past),))
    for table in KEPT:
        database.execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM past.{table}")
    database.close()


async def long_after(stage: Scene, remember: int) -> None:
    """Everything twice, everything once more, and all of it again after the bot has forgotten the rest."""
    await stage.warm()
    stage.simulator.reject(rooms(0)[0])
    for kind in REPLAYED:
        stage.simulator.faults.add(Fault(kind, times=None, probability=0.4, seconds=0.7))
    async with stage.talk(RATE):
        await asyncio.sleep(EACH)
        stage.simulator.faults.clear()
        await replay(stage, stage.simulator.ledger.pushes_in(PushState.ANSWERED))
    await asyncio.sleep(REORDER_PATIENCE + 1)
    await stage.rest()
    with put_back(stage.bot.folder):
        await forget(stage.bot.folder, remember)
        assert rows(stage.bot.folder, "SELECT count(*) FROM deliveries") == [(0,)]
        await stage.bot.start()
        async with stage.talk(RATE):
            await replay(stage, stage.simulator.ledger.pushes_in(PushState.ANSWERED))
        await stage.rest()


@pytest.mark.long
def test_what_is_pushed_again_is_not_acted_on_again_not_even_after_retention(
    tmp_path: Path, record_property: Told
) -> None:
    async def go() -> None:
        async with scene(tmp_path, "replays") as stage:
            await long_after(stage, REMEMBER)
            counted, least, most = duplicates(stage)
            assert least == counted == most
            stage.kills["replayed"] = len(stage.others)
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_ids_that_are_forgotten_too_soon_are_missed(tmp_path: Path) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, "forgetful") as stage:
            await long_after(stage, 0)
            return {violation.rule for violation in check(stage.evidence())}

    assert Rule.EFFECTS in asyncio.run(go())


@pytest.mark.long
def test_ids_that_nobody_looks_up_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, "ids") as stage:
            await stage.warm()
            stage.simulator.faults.add(Fault(Kind.DUPLICATE, times=None, probability=0.4))
            async with stage.talk(RATE):
                await asyncio.sleep(EACH)
            return await seen(stage)

    without("ids", monkeypatch)
    assert {Rule.ONCE, Rule.EFFECTS} <= asyncio.run(go())
