"""SIGSTOP of each role, of the supervisor, and of all at once, under load: nothing dies, and nothing goes on.

RELAY_STOP_SECONDS says how long they stand still (60). A role that is silent is replaced meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from faults.evidence import now
from faults.scene import EVERYTHING, ROLES, Scene, scene
from processes.live import gone, until

from relay.simulator.ledger import PushState

SECONDS = float(os.environ.get("RELAY_STOP_SECONDS", "60"))
CALM = 2.0  # seconds in which nothing is done to the bot
SOON = 20.0  # seconds until a silent role has been replaced: 10 of silence, and a start on a busy machine
ORPHANED = 45.0  # seconds until one whose supervisor is dead has been, though it stands still

Told = Callable[[str, object], None]


def signal_to(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # the supervisor has replaced it
            os.kill(pid, number)


async def replaced(stage: Scene, role: str, old: int) -> float:
    """Wait until another process serves, or the old one does again; how many seconds that took."""
    begun = now()

    def another() -> bool:
        served = [int(line["pid"]) for line in stage.bot.told("role_serving", role=role)]
        return any(pid != old and not gone(pid) for pid in served[served.index(old) :])

    with contextlib.suppress(TimeoutError):
        await until(another, SECONDS)
    return (now() - begun) / 1000


async def stop_role(stage: Scene, role: str) -> float:
    """Stop who has a role until somebody else does, or for long enough; how many seconds nobody did."""
    pid, down = await stage.bot.pid(role), now()
    signal_to(signal.SIGSTOP, [pid])
    took = await replaced(stage, role, pid)
    signal_to(signal.SIGCONT, [pid])
    if role == "receiver":
        stage.watch.dead.append((down, now()))
    return took


@contextlib.asynccontextmanager
async def stopped(pids: list[int]) -> AsyncIterator[None]:
    """These stand still for as long as it takes, whatever happens to others within the block."""
    signal_to(signal.SIGSTOP, pids)
    begun = now()
    try:
        yield
        await asyncio.sleep(max(0.0, SECONDS - (now() - begun) / 1000))
    finally:
        signal_to(signal.SIGCONT, pids)


def supervisor(stage: Scene) -> int:
    assert stage.bot.process is not None
    return stage.bot.process.pid


async def answers_again(stage: Scene) -> None:
    """Wait until it is through all that connected while it stood still, most of which waits no more."""
    begun, answered = now(), PushState.ANSWERED

    def answered_since() -> bool:
        pushes = [push for push in stage.simulator.ledger.pushes_in(answered) if push.number in ended]
        return any(ended[push.number] - push.ms > begun for push in pushes[-50:])

    ended = stage.watch.ended
    await until(answered_since)


async def each_role(stage: Scene) -> None:
    """One after the other; what is silent for too long is replaced."""
    for role in (*ROLES, "console"):
        assert await stop_role(stage, role) < SOON, role
        await asyncio.sleep(CALM)


async def the_supervisor(stage: Scene) -> None:
    """Nobody is there to replace what dies meanwhile; once it goes on, it does."""
    victims = {role: await stage.bot.pid(role) for role in ROLES}
    async with stopped([supervisor(stage)]):
        await asyncio.sleep(CALM)
        signal_to(signal.SIGKILL, [victims["sender"], victims["router"]])
        await asyncio.sleep(SECONDS / 2)
        down = now()
        signal_to(signal.SIGKILL, [victims["receiver"]])
    for role, pid in victims.items():
        assert await replaced(stage, role, pid) < SOON, role
        if role == "receiver":
            stage.watch.dead.append((down, now()))


async def all_at_once(stage: Scene) -> None:
    """As a machine that sleeps: nobody accuses anybody, and what was said meanwhile is fetched."""
    before, down = stage.bot.pids(), now()
    async with stopped(before):
        pass
    await answers_again(stage)
    stage.watch.dead.append((down, now()))
    assert not stage.bot.told("role_hung")
    await until(lambda: stage.bot.told("gap_found"))


async def orphans(stage: Scene) -> None:
    """They hold their roles, though nobody hears from them; those who come next wait until they are gone."""
    assert stage.bot.process is not None
    old = {role: await stage.bot.pid(role) for role in ("sender", "router")}
    receiver, down = await stage.bot.pid("receiver"), now()
    signal_to(signal.SIGSTOP, list(old.values()))
    signal_to(signal.SIGKILL, [supervisor(stage)])
    await asyncio.to_thread(stage.bot.process.wait)
    await stage.bot.start()
    await replaced(stage, "receiver", receiver)  # the old one may be who was found ready
    stage.watch.dead.append((down, now()))
    signal_to(signal.SIGCONT, [old["sender"]])  # the router is ended by its warden
    for role, pid in old.items():
        assert await replaced(stage, role, pid) < ORPHANED, role


STOPS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "each role": each_role,
    "supervisor": the_supervisor,
    EVERYTHING: all_at_once,
    "orphans": orphans,
}


@pytest.mark.long
@pytest.mark.parametrize("who", list(STOPS))
def test_whoever_stands_still_everything_holds(
    tmp_path: Path, who: str, record_property: Told, progress: Callable[[str], None]
) -> None:
    async def go() -> None:
        async with scene(tmp_path, who) as stage:
            async with stage.talk():
                await asyncio.sleep(CALM)
                progress("stands still")
                await STOPS[who](stage)
                await asyncio.sleep(CALM)
            progress("waits for everything to rest")
            await stage.rest()
            assert stage.verdict(record_property) == []
            assert stage.unheard() == set()

    asyncio.run(go())
