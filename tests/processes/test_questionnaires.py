"""Questions, ticks and what they count while router and bot are killed: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import apsw
import pytest
from processes.live import CUSTOMER, TEAMS, LiveBot, platform, rooms, until

from relay.simulator.app import Simulator

PLUGIN = """
from relay import Plugin, Reply

plugin = Plugin("form")

@plugin.on_message(types=["text"])
async def begin(message, ctx):
    if message.text == "order":
        return Reply("q1", then=first, within="1h")

async def first(message, ctx):
    await ctx.state.of(chat=message.chat).set("answers", [message.text])
    return Reply("q2", then=second, within="1h")

async def second(message, ctx):
    scope = ctx.state.of(chat=message.chat)
    await scope.set("answers", [*await scope.get("answers"), message.text])
    return Reply("q3", then=third, within="1h")

async def third(message, ctx):
    answers = await ctx.state.of(chat=message.chat).get("answers")
    return Reply(f"done {' '.join([*answers, message.text])} #{await ctx.state.increment('orders')}")

@plugin.every("1s")
async def tick(ctx):
    await ctx.state.increment("ticks")
"""
PLACES = [rooms(team)[0] for team in range(TEAMS)]
ORDER = ["q1", "q2", "q3", "done a1 a2 a3"]


def read(bot: LiveBot, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(bot.folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    with contextlib.closing(connection):
        connection.set_busy_timeout(5000)
        return connection.execute(sql).fetchall()


def decided(bot: LiveBot) -> dict[str, list[str]]:
    """What the form said in each room, in the order decided."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = read(bot, "SELECT target, body FROM deliveries WHERE plugin = 'form' ORDER BY id")
    for target, body in rows:
        found[target].append(json.loads(body)["content"]["items"][0]["text"])
    return found


async def answer(simulator: Simulator, rounds: int) -> None:
    """Play the customers: each answers what the bot has asked in its room, as often as it takes."""
    answered: dict[str, int] = dict.fromkeys(PLACES, 0)
    while any(count < 4 * rounds for count in answered.values()):
        for place in PLACES:
            count = answered[place]
            if count % 4 == 0:
                said = "order"
                ready = asked(simulator, place) == (count // 4) * 4
            else:
                said = f"a{count % 4}"
                ready = asked(simulator, place) == count
            if ready and count < 4 * rounds:
                simulator.say(place, CUSTOMER, said)
                answered[place] += 1
        await asyncio.sleep(0.1)


def asked(simulator: Simulator, place: str) -> int:
    """How often the form has spoken there."""
    own = [each for each in simulator.ledger.in_chat(place) if each.sender != CUSTOMER]
    texts = ("".join(item["text"] for item in json.loads(each.content)["items"]) for each in own)
    return sum(text.startswith(("q", "done")) for text in texts)


async def kill(bot: LiveBot, kills: int, whole: int) -> None:
    """Kill the router again and again, and now and then all of the bot."""
    for number in range(1, kills + 1):
        await asyncio.sleep(0.4 + number % 5 / 7)
        if number % whole == 0:
            await bot.kill()
            await bot.start()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(await bot.pid("router"), signal.SIGKILL)


async def ordeal(folder: Path, rounds: int, kills: int, whole: int) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "form.py").write_text(PLUGIN, "utf-8")
    async with platform(folder) as (simulator, bot):
        await bot.start()
        playing = asyncio.create_task(answer(simulator, rounds))
        await kill(bot, kills, whole)
        async with asyncio.timeout(240):
            await playing
        done = 4 * rounds * len(PLACES)
        await until(lambda: sum(map(len, decided(bot).values())) >= done, 60)
        await until(lambda: bool(read(bot, "SELECT 1 FROM plugin_state WHERE key = 'ticks'")), 60)
        await bot.stop()
        check(bot, rounds)


def check(bot: LiveBot, rounds: int) -> None:
    said = decided(bot)
    numbers = []
    for place in PLACES:
        assert [text.partition(" #")[0] for text in said[place]] == ORDER * rounds
        numbers += [int(text.partition(" #")[2]) for text in said[place] if " #" in text]
    assert sorted(numbers) == list(range(1, rounds * len(PLACES) + 1))
    assert read(bot, "SELECT count(*) FROM conversations") == [(0,)]
    handled = "SELECT count(*) FROM occasions WHERE kind = 'tick' AND state = 'handled'"
    counted = "SELECT CAST(value AS INTEGER) FROM plugin_state WHERE key = 'ticks'"
    assert read(bot, handled) == read(bot, counted)
    assert read(bot, handled) > [(0,)]
    assert read(bot, "SELECT count(*) FROM occasions WHERE state NOT IN ('handled', 'waiting')") == [(0,)]


@pytest.mark.long
def test_a_questionnaire_survives_every_kill(tmp_path: Path) -> None:
    asyncio.run(ordeal(tmp_path, rounds=4, kills=24, whole=8))


@pytest.mark.long
def test_and_so_it_does_without_any(tmp_path: Path) -> None:
    """What the other one asks for is what happens where nobody is killed."""
    asyncio.run(ordeal(tmp_path, rounds=1, kills=0, whole=1))
