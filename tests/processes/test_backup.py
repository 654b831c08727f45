"""A copy that was made under load starts as a bot that repeats nothing of what the copy knows as done."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import apsw
import pytest
from bots import rule
from processes.live import CUSTOMER, TEAMS, LiveBot, platform, rooms, until

from relay.simulator.app import Simulator
from relay.wire.content import content_of, text_of

MESSAGES = 40  # of each team, before, during and after the copy is made

_DONE = """
SELECT messages.raw, target FROM deliveries JOIN messages ON messages.id = message
WHERE deliveries.state IN ('accepted', 'delivered') AND kind = 'forward'
"""


def known_as_done(copy: Path) -> set[tuple[str, str]]:
    """Text and target of each forward that was taken before the copy was made."""
    database = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    found = {(str(text_of("text", content_of(raw))), target) for raw, target in database.execute(_DONE)}
    database.close()
    return found


def seen(simulator: Simulator) -> Counter[tuple[str, str]]:
    """How often people see each text in each room that it was not said in."""
    return Counter(
        (str(text_of("text", message.content)), room)
        for team in range(TEAMS)
        for room in rooms(team)[1:]
        for message in simulator.ledger.in_chat(room)
    )


async def talk(simulator: Simulator, label: str) -> None:
    for number in range(MESSAGES):
        for team in range(TEAMS):
            simulator.say(rooms(team)[0], CUSTOMER, f"{label} {number} of {team}")
        await asyncio.sleep(0.05)


@pytest.mark.long
@rule
async def test_a_copy_made_under_load_restores_to_a_bot_that_repeats_nothing(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    async with platform(old) as (simulator, bot):
        await bot.start()
        await talk(simulator, "before")
        load = asyncio.create_task(talk(simulator, "during"))
        await asyncio.sleep(1)
        await bot.command("backup", str(new / "relay.db"))
        await load
        await asyncio.sleep(3)
        await bot.kill()
        done, at_the_end = known_as_done(new / "relay.db"), seen(simulator)
        assert len(done) > TEAMS * MESSAGES
        restored = LiveBot(new, [int(simulator.settings.port), bot.public, bot.private])
        await restored.start()
        try:
            await talk(simulator, "after")
            await until(lambda: seen(simulator)[f"after {MESSAGES - 1} of 0", rooms(0)[2]])
        finally:
            await restored.kill()
        now = seen(simulator)
        assert [each for each in done if now[each] != at_the_end[each]] == []
        assert [each for each in done if now[each] != 1] == []
