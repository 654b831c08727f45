"""Restarts and reloads under load: no connection refused, no callback lost, none late."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest
from processes.live import LiveBot, account, platform, until

from benchmarks.callbacks import FIRST, Talk
from benchmarks.load import ANSWERED, CUT, Order, Pushed, push
from relay.testing import SECRETS
from relay.wire.crypto import parse_key

SEED = 20261122
RATE = 200.0  # callbacks a second, at length
SOME = 60.0  # the same, in a short run
SECOND = 1000.0  # ms: the platform's
LATE = "late"
MOST = 5.0  # seconds that one restart takes, on average
PAUSE = 0.3  # seconds, at most, between what one restart brought and the next
PREPARATION = 120.0  # seconds, at most, in which the load makes its bodies
AFTER = 0.5  # seconds of load after the last
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

    async def run(self, times: int) -> None:
        """Do so, at random moments."""
        while self.done.total() < times:
            await asyncio.sleep(self._chance.uniform(0.0, PAUSE))
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

    def __init__(self, bot: LiveBot, rate: float = RATE) -> None:
        self._bot = bot
        self._rate = rate
        self.pushes: Sequence[Pushed] = ()
        self.lag = 0.0

    async def during(self, shaking: Shaking, times: int) -> None:
        """Push from before the shaking begins until after it has ended."""
        enough = asyncio.Event()
        pushing = asyncio.create_task(self._push(times * MOST, enough))
        try:
            await until(lambda: len(self._bot.told("role_serving")) == len(ROLES))
            await until(lambda: _stored(self._bot.folder), PREPARATION)
            await shaking.run(times)
            assert not pushing.done(), "the load ended before the shaking did"
            await asyncio.sleep(AFTER)
        finally:
            enough.set()
            await pushing

    async def _push(self, seconds: float, enough: asyncio.Event) -> None:
        path = f"/callback/{SECRETS['RELAY_CALLBACK_SECRET']}"
        order = Order(port=self._bot.public, path=path, rate=self._rate, seconds=seconds, fresh=3)
        talk = Talk(texts=["hello {n}"], places=[(account(0), QUIET)])
        report = await push(order, talk, parse_key(SECRETS["RELAY_AES_KEY"]), enough)
        self.pushes, self.lag = report.pushes, report.lag

    def outcomes(self) -> Counter[str]:
        """How many ended in which way; an answer that came too late is none."""
        return Counter(LATE if each.ms > SECOND else each.outcome for each in self.pushes)

    def account(self) -> str:
        """All of it in words; an answer's time counts from when its push was due."""
        slowest = max(each.ms for each in self.pushes)
        late = f"the load itself was up to {self.lag:.0f} ms late"
        return f"{dict(self.outcomes())}; slowest {slowest:.0f} ms; {late}"


def _stored(folder: Path) -> Counter[str]:
    connection = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return Counter(str(row[0]) for row in connection.execute("SELECT svrid FROM messages"))
    finally:
        connection.close()


def _check_kept(folder: Path, pushes: Sequence[Pushed]) -> None:
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


def test_no_restart_and_no_reload_refuses_or_forgets_a_callback(tmp_path: Path) -> None:
    pushing = _shaken(tmp_path, ["reload", "restart receiver", "kill router"], 3, SOME)
    assert set(pushing.outcomes()) <= {ANSWERED, LATE}, pushing.account()


@pytest.mark.long
def test_no_restart_and_no_reload_refuses_loses_or_delays_a_callback(tmp_path: Path) -> None:
    """At length, and by the clock: so on a machine that does nothing else."""
    pushing = _shaken(tmp_path, KINDS, 200)
    assert pushing.outcomes() == {ANSWERED: len(pushing.pushes)}, pushing.account()


def _shaken(folder: Path, kinds: list[str], times: int, rate: float = RATE) -> Pushing:
    """What became of the callbacks; whatever was answered is stored, once."""

    async def go() -> Pushing:
        async with platform(folder) as (_, bot):
            await bot.start()
            shaking, pushing = Shaking(bot, random.Random(SEED), kinds), Pushing(bot, rate)
            await pushing.during(shaking, times)
            assert await bot.stop() == 0
            print(f"{dict(shaking.done)}: {pushing.account()}")
            _check_kept(folder, pushing.pushes)
            return pushing

    return asyncio.run(go())


@pytest.mark.long
def test_a_killed_receiver_cuts_what_it_had_in_hand_and_nothing_else(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            shaking, pushing = Shaking(bot, random.Random(SEED), ["kill receiver"]), Pushing(bot)
            await pushing.during(shaking, 5)
            assert await bot.stop() == 0
            print(f"{dict(shaking.done)}: {pushing.account()}")
            outcomes = pushing.outcomes()
            assert set(outcomes) <= {ANSWERED, CUT}
            assert outcomes[CUT] <= MOST_IN_HAND * shaking.done.total()
            _check_kept(tmp_path, pushing.pushes)

    asyncio.run(go())
