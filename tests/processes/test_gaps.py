"""What was said while no process lived is fetched again, with real processes and sockets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from processes.live import CUSTOMER, TEAMS, account, platform, until

CHATS = 500
WITHIN = 180.0  # seconds


@pytest.mark.long
def test_five_hundred_chats_are_fetched_again_within_three_minutes(tmp_path: Path) -> None:
    async def go() -> float:
        async with platform(tmp_path) as (simulator, bot):
            rooms = [f"R:2{number:016}" for number in range(CHATS)]
            for number, room in enumerate(rooms):
                simulator.add_room(room, room, [account(number % TEAMS), CUSTOMER])
            await bot.start()
            for room in rooms:
                simulator.say(room, CUSTOMER, "before")

            async def kept(count: int, words: str) -> bool:
                await asyncio.sleep(1)
                rows = await bot.command("messages", "--limit", "1000")
                return [row["text"] for row in rows].count(words) == count

            await until(lambda: kept(CHATS, "before"))
            await bot.kill()
            for room in rooms:
                simulator.say(room, CUSTOMER, "missed")
            await asyncio.sleep(6)
            await bot.start()
            began = time.monotonic()
            await until(lambda: kept(CHATS, "missed"), WITHIN)
            took = time.monotonic() - began
            assert bot.told("gap_repaired")
            assert await bot.stop() == 0
            return took

    print(f"{CHATS} chats in {asyncio.run(go()):.0f} s")
