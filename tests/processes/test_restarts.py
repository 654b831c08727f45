"""Restarts and reloads under load: no connection refused, no callback lost, none late."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from processes.live import LiveBot, account, platform, until

from benchmarks.callbacks import FIRST, Talk
from benchmarks.load import ANSWERED, CUT, Order, Pushed, push
from relay.testing import SECRETS
from relay.wire.crypto import parse_key

SEED = 20261122
RATE = 200.0  # callbacks a second
SECOND = 1000.0  # ms: the platform's
ROLES = ("receiver", "router", "sender", "console")
MOST_IN_HAND = 20  # requests that a receiver may have at a time, at this rate
QUIET = "R:10950000000000099"  # a room that no route and no rule is about


class Shaking:
    """Somebody who restarts, reloads and kills, one after the other, until told to stop."""

    def __init__(self, bot: LiveBot, chance: random.Random, kinds: list[str]) -> None:
        self._bot = bot
        self._chance = chance
        self._kinds = kinds
        self.done: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Do so, at random moments."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(self._chance.uniform(0.0, 0.5))
            kind = self._kinds[self.done.total() % len(self._kinds)]
            await self._one(kind)
            self.done[kind] += 1

    async def _one(self, kind: str) -> None:
        word, _, role = kind.partition(" ")
        before = len(self._bot.told("role_serving"))
        if word == "reload":
            assert self._bot.process is not None
            self._bot.process.send_signal(signal.SIGHUP)
        else:
            os.kill(self._pid(role), signal.SIGKILL if word == "kill" else signal.SIGTERM)
        due = before + (len(ROLES) if word == "reload" else 1)
        await until(lambda: len(self._bot.told("role_serving")) >= due)

    def _pid(self, role: str) -> int:
        return int(self._bot.told("role_serving", role=role)[-1]["pid"])


class Pushing:
    """Callbacks on kept and on new connections, and what became of them."""

    def __init__(self, bot: LiveBot) -> None:
        self._bot = bot
        self.pushes: list[Pushed] = []
        self.lag = 0.0

    async def run(self, seconds: float) -> None:
        """Push so long, at RATE."""
        path = f"/callback/{SECRETS['RELAY_CALLBACK_SECRET']}"
        first = len(self.pushes)
        order = Order(port=self._bot.public, path=path, rate=RATE, seconds=seconds, fresh=3)
        talk = Talk(texts=["hello {n}"], places=[(account(0), QUIET)], first=first)
        report = await push(order, talk, parse_key(SECRETS["RELAY_AES_KEY"]))
        self.pushes += [replace(each, number=first + each.number) for each in report.pushes]
        self.lag = max(self.lag, report.lag)

    def outcomes(self) -> Counter[str]:
        """How many ended in which way; an answer that came too late is none."""
        return Counter("late" if each.ms > SECOND + self.lag else each.outcome for each in self.pushes)


def _stored(folder: Path) -> Counter[str]:
    connection = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return Counter(str(row[0]) for row in connection.execute("SELECT svrid FROM messages"))
    finally:
        connection.close()


def _check_kept(folder: Path, pushes: list[Pushed]) -> None:
    stored = _stored(folder)
    answered = {str(FIRST + each.number) for each in pushes if each.status == 200}
    assert answered, "no callback was answered: there was no load"
    assert not answered - set(stored), "answered and lost"
    assert max(stored.values()) == 1, "stored twice"


KINDS = [
    "reload",
    "restart receiver",
    "kill router",
    "restart sender",
    "kill console",
    "restart router",
    "kill sender",
    "restart console",
]


@pytest.mark.parametrize(
    ("times", "seconds"), [(6, 8.0), pytest.param(200, 30.0, marks=pytest.mark.long)], ids=["some", "many"]
)
def test_no_restart_and_no_reload_refuses_loses_or_delays_a_callback(
    tmp_path: Path, times: int, seconds: float
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            shaking, pushing = Shaking(bot, random.Random(SEED), KINDS), Pushing(bot)
            while shaking.done.total() < times:
                await asyncio.gather(shaking.run(seconds), pushing.run(seconds))
            assert await bot.stop() == 0
            assert pushing.outcomes() == {ANSWERED: len(pushing.pushes)}, shaking.done
            _check_kept(tmp_path, pushing.pushes)

    asyncio.run(go())


@pytest.mark.long
def test_a_killed_receiver_cuts_what_it_had_in_hand_and_nothing_else(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            shaking, pushing = Shaking(bot, random.Random(SEED), ["kill receiver"]), Pushing(bot)
            await asyncio.gather(shaking.run(20), pushing.run(20))
            assert await bot.stop() == 0
            outcomes = pushing.outcomes()
            assert set(outcomes) <= {ANSWERED, CUT}
            assert outcomes[CUT] <= MOST_IN_HAND * shaking.done.total()
            _check_kept(tmp_path, pushing.pushes)

    asyncio.run(go())
