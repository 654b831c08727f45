"""kill -9 at any moment, of each role, of the supervisor, and of all at once, under load.

RELAY_KILLS says how many (1,000); RELAY_SEED makes them others than last time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.parts import parts
from faults.scene import EVERYTHING, SUPERVISOR, scene

KILLS = int(os.environ.get("RELAY_KILLS", "1000"))
SEED = os.environ.get("RELAY_SEED", "20261122")
PART = 50  # kills of one bot: about two minutes
PARTS = parts(KILLS, PART)
VICTIMS = {
    "receiver": 4,
    "router": 4,
    "sender": 6,
    "console": 1,
    "forkserver": 1,
    EVERYTHING: 4,
    SUPERVISOR: 1,
}
"""Whom it hits how often: the sender has most to lose, and a whole bot takes seconds to start."""


@pytest.mark.long
@pytest.mark.parametrize(("part", "kills"), PARTS)
def test_whoever_is_killed_everything_holds(
    tmp_path: Path,
    part: int,
    kills: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    async def go() -> None:
        async with scene(tmp_path, f"{SEED}/{part}") as stage:
            async with stage.talk():
                for number in range(kills):
                    progress(f"{number} of {kills} kills")
                    await asyncio.sleep(stage.chance.uniform(0.05, 1.0))
                    await stage.kill(*stage.chance.choices(list(VICTIMS), list(VICTIMS.values())))
            progress("waits for everything to rest")
            await stage.rest()
            assert stage.verdict(record_property) == []

    asyncio.run(go())
