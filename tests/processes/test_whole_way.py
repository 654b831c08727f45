"""The whole way of a message, with real processes and sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from faults.evidence import rows
from processes.live import CUSTOMER, platform, until
from processes.live import rooms as rooms_of

DELIVERED = "SELECT count(*) FROM deliveries WHERE state = 'delivered'"


def test_a_message_is_mirrored_answered_echoed_and_delivered(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            first, second, third = rooms_of(0)
            said = simulator.say(first, CUSTOMER, "what is the price?")
            ledger = simulator.ledger
            await until(lambda: len(ledger.effects()) == 3)
            for room in (second, third):
                assert [each.content for each in ledger.in_chat(room)] == [said.content]
            assert b"100 yuan" in ledger.in_chat(first)[-1].content

            await until(lambda: rows(tmp_path, DELIVERED) == [(3,)])
            told = await bot.command("deliveries")
            assert [(row["state"], row["evidence"]) for row in told] == [("delivered", "echo")] * 3
            messages = await bot.command("messages")
            assert [row["state"] for row in messages if not row["own"]] == ["routed"]
            assert await bot.stop() == 0

    asyncio.run(go())


def test_sigterm_ends_every_process_in_order(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            assert len(bot.pids(wardens=False)) >= 5  # relay and its four roles
            assert await bot.stop() == 0
            assert bot.pids(wardens=False) == []
            assert (await bot.command("status"))["processes"] == []

    asyncio.run(go())
