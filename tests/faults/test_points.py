"""kill -9 at named points of a message's way: whatever was known by then, the outcome is true in the end.

RELAY_POINTS says how many kills there are at each (50); a third of them is of everything, not of one role.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import apsw
import pytest
from faults.evidence import rows
from faults.parts import parts
from faults.scene import EVERYTHING, Scene, scene
from processes.live import TEAMS, account, until

from relay.simulator.fault import Fault, Kind, When
from relay.simulator.ledger import PushState

KILLS = int(os.environ.get("RELAY_POINTS", "50"))
SEED = os.environ.get("RELAY_SEED", "20261122")
PART = 25  # kills of one bot
PARTS = parts(KILLS, PART)
SENDING = "SELECT count(*) FROM deliveries WHERE state = 'sending'"
NOTICED = 1.0  # seconds until a caller that was killed is seen to have left
PATHS = ("/wechat/sendMessage", "/wechat/forwardMsg")

Point = Callable[[Scene, int], contextlib.AbstractAsyncContextManager[None]]


@contextlib.contextmanager
def nobody_writes(folder: Path) -> Iterator[None]:
    """Have the database to oneself: what others have to say waits, and dies with them."""
    connection = apsw.Connection(str(folder / "relay.db"))
    connection.set_busy_timeout(5000)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextlib.asynccontextmanager
async def stopped(stage: Scene, team: int, *faults: Fault) -> AsyncIterator[int]:
    """Let a request of one team strike these, the last of which holds it; gives that one's number."""
    numbers = [stage.simulator.faults.add(fault).number for fault in faults]
    stage.say(team, price=True)
    try:
        await until(lambda: numbers[-1] in stage.simulator.faults.holds.numbers())
        yield numbers[-1]
    finally:
        with contextlib.suppress(TimeoutError):  # whoever was killed asks for nothing, once that is noticed
            await until(lambda: numbers[-1] not in stage.simulator.faults.holds.numbers(), NOTICED)
        for number in numbers:
            with contextlib.suppress(ValueError):  # it struck, and nobody waits by it
                stage.simulator.faults.remove(number)


def hanging(stage: Scene, team: int, when: When) -> Fault:
    return Fault(Kind.HANG, when=when, path=stage.chance.choice(PATHS), account=account(team))


@contextlib.asynccontextmanager
async def after_the_answer(stage: Scene, team: int) -> AsyncIterator[None]:
    """The callback is answered, and what it said is not in the database."""
    with nobody_writes(stage.bot.folder):
        answered = _answered(stage, team)
        stage.say(team, price=True)
        await until(lambda: _answered(stage, team) > answered)
        yield


@contextlib.asynccontextmanager
async def after_intent(stage: Scene, team: int) -> AsyncIterator[None]:
    """The attempt is on record, and the platform has taken nothing: a new token is waited for."""
    await _warm(stage, team)
    stage.simulator.tokens.expire_all()
    async with stopped(stage, team, Fault(Kind.HANG, path="/oauth/token", times=None)):
        await until(lambda: rows(stage.bot.folder, SENDING) != [(0,)])
        yield


@contextlib.asynccontextmanager
async def mid_request(stage: Scene, team: int) -> AsyncIterator[None]:
    """The request has arrived, and nothing came of it: its caller leaves first."""
    async with stopped(stage, team, hanging(stage, team, When.BEFORE)):
        yield


@contextlib.asynccontextmanager
async def after_effect(stage: Scene, team: int) -> AsyncIterator[None]:
    """It took effect, and neither answer nor echo has come; the echo never will."""
    drop = Fault(Kind.DROP, account=account(team), echoes_only=True, times=None)
    async with stopped(stage, team, drop, hanging(stage, team, When.AFTER)):
        yield


@contextlib.asynccontextmanager
async def before_outcome(stage: Scene, team: int) -> AsyncIterator[None]:
    """The answer has come, and cannot be written."""
    async with stopped(stage, team, hanging(stage, team, When.AFTER)) as number:
        with nobody_writes(stage.bot.folder):
            stage.simulator.faults.release(number)
            told = stage.simulator.ledger.requests
            await until(lambda: any(each.effective and each.errcode == 0 for each in told[-3:]))
            await asyncio.sleep(0.05)  # the answer's way, and the vain attempt to write it
            yield


@contextlib.asynccontextmanager
async def mid_echo(stage: Scene, team: int) -> AsyncIterator[None]:
    """The echo is answered, and not in the database; the request has no answer."""
    with contextlib.ExitStack() as stack:
        late = Fault(Kind.LATE, account=account(team), echoes_only=True, times=None, seconds=0.3)
        async with stopped(stage, team, late, hanging(stage, team, When.AFTER)):
            stack.enter_context(nobody_writes(stage.bot.folder))
            answered = _answered(stage, team)
            await until(lambda: _answered(stage, team) > answered)
            yield


A_MINUTE = 90.0  # seconds: kills in quick succession use up what the platform grants for its log in one


async def _warm(stage: Scene, team: int) -> None:
    """Whoever has just started asks for a token before there is anything to send."""
    ledger = stage.simulator.ledger
    before = len(ledger.effects(account=account(team)))
    stage.say(team)
    await until(lambda: len(ledger.effects(account=account(team))) >= before + 2, A_MINUTE)


def _answered(stage: Scene, team: int) -> int:
    pushes = stage.simulator.ledger.pushes_in(PushState.ANSWERED)
    return sum(push.account == account(team) for push in pushes)


POINTS: dict[str, Point] = {
    "after the answer": after_the_answer,
    "after intent": after_intent,
    "mid request": mid_request,
    "after effect": after_effect,
    "before outcome": before_outcome,
    "mid echo": mid_echo,
}


@pytest.mark.long
@pytest.mark.parametrize(("part", "kills"), PARTS)
@pytest.mark.parametrize("point", list(POINTS))
def test_whatever_was_known_when_it_was_killed_everything_holds(
    tmp_path: Path,
    point: str,
    part: int,
    kills: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    role = "receiver" if point == "after the answer" else "sender"

    async def go() -> None:
        async with scene(tmp_path, f"{SEED}/{point}/{part}") as stage:
            for number in range(kills):
                progress(f"{number} of {kills} kills")
                await stage.bot.pid(role)  # whoever was killed last has a successor, who needs the database
                async with POINTS[point](stage, number % TEAMS):
                    await stage.end(stage.chance.choice((role, role, EVERYTHING)))
                stage.say(number % TEAMS, price=True)  # goes behind what is not known yet
                await stage.revive()
            progress("waits for everything to rest")
            await stage.rest()
            assert stage.verdict(record_property) == []

    asyncio.run(go())
