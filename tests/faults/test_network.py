"""A bad network between bot and platform: whatever arrives, late, in part or not at all, everything holds.

RELAY_NETWORK says how many times the mode changes (6); RELAY_SEED makes them others than last time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from faults.checker import SECOND, Rule
from faults.proxy import Mode, Proxy
from faults.scene import Scene
from faults.test_controls import seen, without
from processes.live import platform, until

TURNS = int(os.environ.get("RELAY_NETWORK", "6"))
SEED = os.environ.get("RELAY_SEED", "20261122")
RATE = 8  # messages a second
EACH = 5.0  # seconds of every mode
LONG = 200.0  # seconds: a log that did not answer is left alone for up to a minute
Told = Callable[[str, object], None]


@contextlib.asynccontextmanager
async def behind(folder: Path, seed: object) -> AsyncIterator[tuple[Scene, Proxy, Proxy]]:
    """A bot that serves, a proxy on its way to the platform, and one on the platform's way to it."""
    chance = random.Random(str(seed))
    async with platform(folder) as (simulator, bot):
        calls = Proxy(simulator.settings.port, chance)
        callbacks = Proxy(bot.public, chance)
        async with calls.serving(), callbacks.serving():
            direct = f'base_url = "http://127.0.0.1:{simulator.settings.port}"'
            text = bot.config.read_text("utf-8")
            assert direct in text
            bot.config.write_text(
                text.replace(direct, f'base_url = "http://127.0.0.1:{calls.port}"'), "utf-8"
            )
            await bot.start()
            stage = Scene(simulator, bot, chance)
            async with stage.watch.awake():
                await stage.warm()
                yield stage, calls, callbacks


@pytest.mark.long
def test_whichever_way_calls_go_wrong_everything_holds(
    tmp_path: Path, record_property: Told, progress: Callable[[str], None]
) -> None:
    async def go() -> None:
        async with behind(tmp_path, SEED) as (stage, calls, _):
            async with stage.talk(RATE):
                for mode in Mode:
                    progress(f"calls suffer from {mode}")
                    with calls.bad(mode):
                        await asyncio.sleep(EACH)
            progress("waits for everything to rest")
            await stage.rest(LONG)
            assert calls.struck.keys() == set(Mode)
            stage.kills.update(calls.struck)
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_in_turns_everything_holds_and_outages_are_noticed(
    tmp_path: Path, record_property: Told, progress: Callable[[str], None]
) -> None:
    async def go() -> None:
        async with behind(tmp_path, f"{SEED}/turns") as (stage, calls, _):
            async with stage.talk(RATE):
                progress("nothing arrives at all")
                with calls.bad(Mode.BLACKHOLE, 1.0):
                    await until(lambda: stage.bot.told("account_paused", error="outage"))
                    for _ in range(2):
                        pauses = (await stage.bot.command("status"))["pauses"]
                        assert [(each["account"], each["reason"][:7]) for each in pauses] == [("", "outage:")]
                await until(lambda: stage.bot.told("outage_over"))
                for turn in range(TURNS):
                    progress(f"{turn} of {TURNS} turns")
                    with calls.bad(stage.chance.choice(list(Mode)), stage.chance.choice((0.1, 0.5, 0.9))):
                        await asyncio.sleep(stage.chance.uniform(1, EACH))
            progress("waits for everything to rest")
            await stage.rest(LONG)
            assert len(stage.bot.told("outage")) == len(stage.bot.told("outage_over"))
            stage.kills.update(calls.struck)
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_whichever_way_callbacks_go_wrong_each_is_kept_once_or_was_not_answered(
    tmp_path: Path, record_property: Told, progress: Callable[[str], None]
) -> None:
    """How late an answer is, is judged where the bot's door is and not behind a bad network."""

    async def go() -> None:
        async with behind(tmp_path, f"{SEED}/callbacks") as (stage, _, callbacks):
            url = str(stage.simulator.callback_url)
            stage.simulator.callback_url = url.replace(str(stage.bot.public), str(callbacks.port))
            async with stage.talk(RATE):
                for mode in Mode:
                    progress(f"callbacks suffer from {mode}")
                    with callbacks.bad(mode, 0.3):
                        await asyncio.sleep(EACH)
            progress("waits for everything to rest")
            await stage.rest(LONG)
            asked = [each for each in callbacks.exchanges if each.asked and each.answered]
            assert [each for each in asked if (each.answered - each.asked) * 1000 > SECOND] == []
            stage.kills.update(callbacks.struck)
            stage.watch.astray = True
            stage.watch.dead.append((0.0, float("inf")))
            assert stage.verdict(record_property) == []

    asyncio.run(go())


@pytest.mark.long
def test_a_client_that_repeats_what_was_reset_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> set[Rule]:
        async with behind(tmp_path, "once") as (stage, calls, _):
            with calls.bad(Mode.RESET):
                async with stage.talk(RATE):
                    await asyncio.sleep(EACH)
            return await seen(stage)

    without("once", monkeypatch)
    assert Rule.EFFECTS in asyncio.run(go())
