"""kill -9 of everything, under load: nothing answered is lost, nothing with a known outcome is sent twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import apsw
import pytest
from processes.live import CUSTOMER, TEAMS, platform, rooms, until

from relay.simulator.app import Simulator
from relay.simulator.ledger import PushState

SEED = 20261122
LOAD = 20  # messages a second, of which more than twice as many deliveries come


async def _talk(simulator: Simulator, chance: random.Random, stop: asyncio.Event) -> None:
    """Customers who go on talking, whatever happens to the bot."""
    number = 0
    while not stop.is_set():
        number += 1
        words = f"price of {number}?" if chance.random() < 0.3 else f"hello {number}"
        simulator.say(chance.choice(rooms(number % TEAMS)), CUSTOMER, words)
        await asyncio.sleep(1 / LOAD)


def _answered_svrids(simulator: Simulator) -> set[str]:
    """The messages whose callback was answered: ours, for good."""
    pushed = {copy.entry: copy.svrid for copy in simulator.ledger.copies}
    answered = [push for push in simulator.ledger.pushes if push.state is PushState.ANSWERED]
    found = {svrid for push in answered for entry, svrid in pushed.items() if entry in push.plaintext}
    assert len(found) <= len(answered)
    return found


@pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="one"), pytest.param(10, id="many", marks=pytest.mark.long)]
)
def test_nothing_answered_is_lost_and_nothing_known_is_sent_twice(tmp_path: Path, rounds: int) -> None:
    async def go() -> None:
        chance = random.Random(SEED)
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            stop = asyncio.Event()
            talking = asyncio.create_task(_talk(simulator, chance, stop))
            for _ in range(rounds):
                await asyncio.sleep(chance.uniform(0.1, 1.0))
                await bot.kill()
                await bot.start()
            stop.set()
            await talking
            await simulator.settle()
            await until(lambda: _at_rest(tmp_path), 60)
            assert await bot.stop() == 0
            _check(simulator, tmp_path)

    asyncio.run(go())


def _rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _at_rest(folder: Path) -> bool:
    waiting = _rows(folder, "SELECT count(*) FROM messages WHERE state = 'waiting'")
    moving = "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'sending', 'unknown', 'accepted')"
    return waiting == [(0,)] and _rows(folder, moving) == [(0,)]


def _check(simulator: Simulator, folder: Path) -> None:
    answered = _answered_svrids(simulator)
    stored = Counter(str(row[0]) for row in _rows(folder, "SELECT svrid FROM messages"))
    assert answered, "no callback was answered: there was no load"
    assert not answered - set(stored), "answered and lost"
    assert max(stored.values()) == 1, "stored twice"

    effects = Counter(
        (each.cause.source, each.cause.target) if each.cause.kind == "forward" else each.cause.api_send_id
        for each in simulator.ledger.effects()
        if each.cause is not None
    )
    assert effects, "nothing was sent: there was no load"
    assert max(effects.values()) == 1, "sent twice"

    states = {
        str(state): count
        for state, count in _rows(folder, "SELECT state, count(*) FROM deliveries GROUP BY 1")
    }
    assert set(states) <= {"delivered", "held"}, states
    by_send = Counter(
        str(each.cause.api_send_id).split(".")[0]
        for each in simulator.ledger.effects(kind="send")
        if each.cause
    )
    assert max(by_send.values()) == 1, "one delivery took effect in two attempts"
    delivered = _rows(folder, "SELECT count(*) FROM deliveries WHERE state = 'delivered'")
    held = _rows(folder, "SELECT count(*) FROM deliveries WHERE state = 'held'")
    assert (
        int(str(delivered[0][0])) <= sum(effects.values()) <= int(str(delivered[0][0])) + int(str(held[0][0]))
    )
