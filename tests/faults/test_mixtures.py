"""The platform's own faults in random mixtures, and now and then a kill: everything holds all the same.

RELAY_MIXTURES says how many mixtures there are (20); RELAY_SEED makes them others than last time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.evidence import rows
from faults.mixture import mixture
from faults.parts import parts
from faults.scene import EVERYTHING, ROLES, Scene, scene
from processes.live import TEAMS, account

from relay.simulator.fault import REORDER_PATIENCE

MIXTURES = int(os.environ.get("RELAY_MIXTURES", "20"))
SEED = os.environ.get("RELAY_SEED", "20261122")
PART = 10  # mixtures for one bot
PARTS = parts(MIXTURES, PART)
RATE = 10  # messages a second
EACH = 5.0  # seconds of every mixture
KILLED = 0.3  # of the mixtures
ACCOUNTS = [account(team) for team in range(TEAMS)]
COUNTED = "SELECT value FROM counters WHERE name = 'duplicates_total'"
Told = Callable[[str, object], None]


def duplicates(stage: Scene) -> tuple[int, int, int]:
    """How many the bot counted, and between which numbers the truth is: exact where all was answered."""
    counted = sum(value for (value,) in rows(stage.bot.folder, COUNTED))
    evidence = stage.evidence()
    answered = sum(len(push.carried) for push in evidence.pushes if push.status is not None)
    perhaps = sum(len(push.carried) for push in evidence.pushes if push.status is None)
    late = sum(message.late for message in evidence.messages)
    least = answered + late - len(evidence.messages)
    return counted, least, least + perhaps


@pytest.mark.long
@pytest.mark.parametrize(("part", "mixtures"), PARTS)
def test_whatever_the_platform_mixes_up_everything_holds(
    tmp_path: Path, part: int, mixtures: int, record_property: Told, progress: Callable[[str], None]
) -> None:
    async def go() -> None:
        async with scene(tmp_path, f"{SEED}/{part}") as stage:
            await stage.warm()
            async with stage.talk(RATE):
                for number in range(mixtures):
                    drawn = mixture(stage.chance, ACCOUNTS, stage.chance.randint(3, 9))
                    progress(f"{number} of {mixtures} mixtures: {', '.join(each.kind for each in drawn)}")
                    for fault in drawn:
                        stage.simulator.faults.add(fault)
                    await asyncio.sleep(EACH / 2)
                    if stage.chance.random() < KILLED:
                        await stage.kill(stage.chance.choice((*ROLES, EVERYTHING)))
                    await asyncio.sleep(EACH / 2)
                    stage.simulator.faults.clear()
            progress("waits for everything to rest")
            await asyncio.sleep(REORDER_PATIENCE + 1)  # what is on its way by a detour is still pushed
            await stage.rest()
            stage.kills.update(strike.kind for strike in stage.simulator.ledger.strikes)
            counted, least, most = duplicates(stage)
            assert least <= counted <= most
            assert stage.verdict(record_property) == []

    asyncio.run(go())
