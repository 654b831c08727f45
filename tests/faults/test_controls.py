"""The suite would see it: with a guard taken out of a real bot, the checker names the rule that it kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults import test_points, test_stops
from faults.checker import Rule, check
from faults.scene import EVERYTHING, Scene, scene
from faults.test_points import POINTS
from faults.test_stops import stop_role
from processes.live import LiveBot

UNGUARDED = Path(__file__).with_name("unguarded")
BURST = 240  # messages in one room, each to go to two others: more than an account may send in a minute
FROZEN = 1.5  # seconds
STILL = 20.0  # seconds: a silent router is replaced after 5 of them


async def seen(stage: Scene) -> set[Rule]:
    await stage.rest()
    return {violation.rule for violation in check(stage.evidence())}


def without(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(UNGUARDED), *filter(None, [path])]))
    monkeypatch.setenv("RELAY_UNGUARDED", guard)


@pytest.mark.long
@pytest.mark.parametrize(
    ("guard", "point", "victim", "rule"),
    [
        ("unknown", "after effect", EVERYTHING, Rule.EFFECTS),
        ("journal", "after the answer", EVERYTHING, Rule.KEPT),
        ("line", "mid request", "sender", Rule.ORDER),
        ("outcome", "after effect", EVERYTHING, Rule.STATE),
    ],
)
def test_a_guard_that_is_missing_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: str, point: str, victim: str, rule: Rule
) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, guard) as stage:
            for team in range(2):
                async with POINTS[point](stage, team):
                    await stage.end(victim)
                for _ in range(6):
                    stage.say(team)
                await stage.revive()
            return await seen(stage)

    without(guard, monkeypatch)
    monkeypatch.setattr(test_points, "PATHS", ("/wechat/sendMessage",))  # an unknown forward would be held
    assert rule in asyncio.run(go())


@pytest.mark.long
@pytest.mark.parametrize(("guard", "rule"), [("together", Rule.ACTED), ("own", Rule.CAUSE)])
def test_a_router_without_its_guard_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: str, rule: Rule
) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, guard) as stage:
            for team in range(3):
                stage.say(team)
            await stage.kill("router")
            return await seen(stage)

    without(guard, monkeypatch)
    assert rule in asyncio.run(go())


async def burst(folder: Path) -> set[Rule]:
    async with scene(folder, "burst") as stage:
        for _ in range(BURST):
            stage.say(0)
        return await seen(stage)


@contextlib.asynccontextmanager
async def another_sender(bot: LiveBot) -> AsyncIterator[asyncio.subprocess.Process]:
    """One without a supervisor, beside the bot's own."""
    command = [sys.executable, "-m", "relay", "run", "--role", "sender", "--config", str(bot.config)]
    other = await asyncio.create_subprocess_exec(
        *command, env=bot.environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield other
    finally:
        with contextlib.suppress(ProcessLookupError):
            other.kill()
        await other.wait()


@pytest.mark.long
def test_two_senders_at_once_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, "burst") as stage, another_sender(stage.bot):
            for _ in range(BURST):
                stage.say(0)
            return await seen(stage)

    without("alone", monkeypatch)
    assert Rule.PACE in asyncio.run(go())


@pytest.mark.long
def test_a_second_sender_is_refused(tmp_path: Path) -> None:
    async def go() -> int | None:
        async with scene(tmp_path, "second") as stage, another_sender(stage.bot) as other:
            return await asyncio.wait_for(other.wait(), 60)

    assert asyncio.run(go()) == 1


@pytest.mark.long
def test_a_burst_keeps_the_pace(tmp_path: Path) -> None:
    assert asyncio.run(burst(tmp_path)) == set()


@pytest.mark.long
def test_a_burst_without_a_pace_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without("pace", monkeypatch)
    assert Rule.PACE in asyncio.run(burst(tmp_path))


@pytest.mark.long
def test_a_receiver_that_stands_still_is_seen(tmp_path: Path) -> None:
    async def go() -> set[Rule]:
        async with scene(tmp_path, "still") as stage:
            async with stage.talk():
                await asyncio.sleep(0.5)
                receiver = await stage.bot.pid("receiver")
                os.kill(receiver, signal.SIGSTOP)
                await asyncio.sleep(FROZEN)
                os.kill(receiver, signal.SIGCONT)
            return await seen(stage)

    assert asyncio.run(go()) == {Rule.SECOND}


@pytest.mark.long
@pytest.mark.parametrize("guard", ["", "heard"])
def test_a_role_that_stands_still_unnoticed_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    async def go() -> float:
        async with scene(tmp_path, "silent") as stage:
            return await stop_role(stage, "router")

    monkeypatch.setattr(test_stops, "SECONDS", STILL)
    if guard:
        without(guard, monkeypatch)
    assert (asyncio.run(go()) >= STILL) == bool(guard)
