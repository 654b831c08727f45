"""The wall clock set by an hour either way under load, also while somebody is down: nothing is early or lost.

All processes of the bot see it at once; the platform's clock stays what it is. So the bot's own times say
nothing here about the pace: what took effect does, by the platform's clock.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from faults.checker import Evidence, Wanted
from faults.evidence import now, rows
from faults.scene import EVERYTHING, Scene, owed
from faults.set_clock.sitecustomize import shared
from processes.live import CUSTOMER, TEAMS, account, platform, rooms

from relay.simulator.fault import Fault, Kind, When
from relay.simulator.ledger import Message

HOUR = 3600.0
SETTINGS = ('confirm_after = "1s"\nresolve_within = "2s"', 'confirm_after = "8s"\nresolve_within = "4s"')
LATER = """
[[plugins.keyword_reply.rules]]
name = "later"
contains = ["later"]
reply = "now"
delay = "8s"
stop = false
"""
BURST = 300  # messages of one team, each to two rooms: more than its account may send in a minute
BUSY = TEAMS - 1  # the team that they are of
UNSURE = 0  # the team whose requests get no answer when the clock is set
LOOK = 3.0  # seconds after the clock was set
WAIT = 9.0  # seconds between two settings of the clock
CONFIRMED = 8.0  # seconds after which silence confirms, as the settings say
EARLIER = 4.0  # seconds, of these, that have passed by then at the most

Step = tuple[float, str]
"""What the clock is set to, in seconds from the platform's, and who is down while it is."""

THERE_AND_BACK: dict[str, tuple[Step, ...]] = {
    "ahead": ((HOUR, ""), (0, "sender"), (-HOUR, EVERYTHING), (0, "receiver")),
    "behind": ((-HOUR, ""), (HOUR, "sender"), (0, EVERYTHING), (HOUR, "receiver")),
}
"""How the clock goes."""

_ACCEPTED = """
SELECT d.id FROM deliveries d JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts
WHERE d.state = 'accepted' AND a.ended_at > (SELECT max(ended_at) FROM attempts) - {earlier}
"""
_EARLY = """
SELECT id, state, error FROM deliveries WHERE state = 'expired' OR (state = 'delivered' AND id IN ({ids}))
"""


class Wall:
    """The clock on the wall of one bot."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(struct.pack("d", 0.0))
        self._offset = shared(path)
        monkeypatch.setenv("RELAY_CLOCK", str(path))
        folder, known = Path(__file__).with_name("set_clock"), os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [known])]))

    def set(self, seconds: float) -> None:
        self._offset[:] = struct.pack("d", seconds)


class Clocked(Scene):
    """Whose own times say nothing about its pace."""

    def evidence(self) -> Evidence:
        return replace(super().evidence(), per_minute=sys.maxsize)


def owed_here(message: Message) -> Counter[Wanted]:
    wanted = owed(message)
    if b"later" in message.content:
        wanted["send", message.to] += 1
    return wanted


@asynccontextmanager
async def clocked(folder: Path) -> AsyncIterator[Scene]:
    """A bot with more to wait for than others, and its platform."""
    async with platform(folder) as (simulator, bot):
        text = bot.config.read_text("utf-8")
        assert SETTINGS[0] in text
        bot.config.write_text(text.replace(*SETTINGS) + LATER, "utf-8")
        await bot.start()
        stage = Clocked(simulator, bot, random.Random(str(folder)))
        stage.owed = owed_here
        yield stage


async def unsure(stage: Scene) -> None:
    """A send and a forward of which nobody hears whether they took effect, and one of each that did not."""
    for path in ("/wechat/sendMessage", "/wechat/forwardMsg"):
        for when in (When.AFTER, When.BEFORE):
            fault = Fault(Kind.CLOSE, when=when, path=path, account=account(UNSURE))
            stage.simulator.faults.add(fault)
    drop = Fault(Kind.DROP, account=account(UNSURE), echoes_only=True, times=4)
    stage.simulator.faults.add(drop)
    for _ in range(3):
        stage.say(UNSURE, price=True)
    await asyncio.sleep(0.5)


def say_later(stage: Scene) -> None:
    for team in range(TEAMS):
        room = stage.chance.choice(rooms(team))
        stage.simulator.say(room, CUSTOMER, f"later {stage.chance.random()}")


async def set_to(stage: Scene, wall: Wall, seconds: float, victim: str) -> list[str]:
    """Set the clock, and tell what happened too early because of it."""
    await unsure(stage)
    say_later(stage)
    await asyncio.sleep(0.3)
    folder = stage.bot.folder
    if victim:
        await stage.end(victim)
    asked = now()
    accepted = ",".join(str(row[0]) for row in rows(folder, _ACCEPTED.format(earlier=EARLIER * 1000)))
    wall.set(seconds)
    await stage.revive()
    await stage.bot.pid("sender")  # a clock that is set twice while none is there looks as if it never was
    await asyncio.sleep(LOOK)
    if now() - asked > (CONFIRMED - EARLIER) * 1000:  # whoever was down took long to come back
        accepted = ""
    return [str(row) for row in rows(folder, _EARLY.format(ids=accepted))]


@pytest.mark.long
@pytest.mark.parametrize("way", list(THERE_AND_BACK))
def test_a_clock_that_is_set_makes_nothing_early_late_or_lost(
    tmp_path: Path,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    async def go() -> list[str]:
        early = []
        async with clocked(tmp_path) as stage:
            for _ in range(BURST):
                stage.say(BUSY)
            async with stage.talk():
                await asyncio.sleep(WAIT)
                for seconds, victim in THERE_AND_BACK[way]:
                    progress(f"the clock goes to {seconds:+.0f} s, {victim or 'nobody'} is down")
                    early += await set_to(stage, wall, seconds, victim)
                    await asyncio.sleep(WAIT)
            progress("waits for everything to rest")
            await stage.rest()
            assert stage.verdict(record_property) == []
            assert stage.unheard() == set()
            assert rows(tmp_path, "SELECT * FROM deliveries WHERE state IN ('expired', 'failed')") == []
        return early

    wall = Wall(tmp_path / "clock", monkeypatch)
    assert asyncio.run(go()) == []


@pytest.mark.long
def test_a_clock_that_nobody_heeds_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> list[str]:
        async with clocked(tmp_path) as stage, stage.talk():
            await asyncio.sleep(WAIT / 2)
            return await set_to(stage, wall, HOUR, "")

    wall = Wall(tmp_path / "clock", monkeypatch)
    monkeypatch.setenv("RELAY_UNHEEDED", "all of it")
    assert asyncio.run(go()) != []
