"""What was said while no process lived is fetched again, with real processes and sockets.

RELAY_OUTAGE_MINUTES says for how long none lived (10); nearly all of that time the test only waits.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from processes.live import CUSTOMER, TEAMS, account, platform, until

CHATS = 500
WITHIN = 180.0  # seconds
OUTAGE = float(os.environ.get("RELAY_OUTAGE_MINUTES", "10")) * 60  # seconds
TIMES = 3  # that somebody speaks in each chat meanwhile


def said(folder: Path, words: str) -> int:
    """How many messages are stored that say this."""
    database = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    database.set_busy_timeout(5000)
    asked = "SELECT count(*) FROM messages WHERE instr(raw, CAST(? AS BLOB))"
    found = database.execute(asked, (words,)).fetchall()
    database.close()
    return int(str(found[0][0]))


@pytest.mark.long
def test_five_hundred_chats_are_fetched_again_within_three_minutes(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async def go() -> float:
        async with platform(tmp_path) as (simulator, bot):
            rooms = [f"R:2{number:016}" for number in range(CHATS)]
            for number, room in enumerate(rooms):
                simulator.add_room(room, room, [account(number % TEAMS), CUSTOMER])
            await bot.start()
            for room in rooms:
                simulator.say(room, CUSTOMER, "before")

            def kept(count: int, words: str) -> bool:
                return said(tmp_path, words) == count

            await until(lambda: kept(CHATS, "before"))
            await bot.kill()
            for _ in range(TIMES):
                for room in rooms:
                    simulator.say(room, CUSTOMER, "missed")
                await asyncio.sleep(OUTAGE / TIMES)
            await bot.start()
            began = time.monotonic()
            await until(lambda: kept(CHATS * TIMES, "missed"), WITHIN)
            took = time.monotonic() - began
            assert bot.told("gap_repaired")
            assert await bot.stop() == 0
            return took

    took = asyncio.run(go())
    minutes = OUTAGE / 60
    record_property("note", f"{CHATS} chats repaired in {took:.0f} s after {minutes:g} minutes of outage")
