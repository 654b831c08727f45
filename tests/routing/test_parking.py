"""After five failures in a row a plugin is left alone, longer each time; one success ends it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bots import EAST, entry, make_bot, receive, rule, said
from routing.test_swap import version, write
from structlog.testing import capture_logs

from relay.errors import StorageError
from relay.operating.running import as_they_run
from relay.routing.blackbox import Ending
from relay.routing.parking import MOST_FAILURES, WAITS, Failing, Failure, Parking, read
from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Row
from relay.testing import Bot

FAILURE = Failure("greet: ValueError at greeter.py:7", "/bot/plugins/greeter.py", 7)
FAILS = version("fine", body="    if 'bad' in message.text: raise ValueError")
OTHER = """
[plugins]
order = ["greeter", "keyword_reply"]
[[plugins.keyword_reply.rules]]
name = "all"
contains = ["i"]
reply = "ten"
"""


def parked(clock: ManualClock) -> Parking:
    """A plugin that has failed as often as it may."""
    parking = Parking(clock)
    for _ in range(MOST_FAILURES):
        parking.failed("greeter", FAILURE)
    return parking


def test_four_failures_park_nobody() -> None:
    parking = Parking(ManualClock())
    for _ in range(MOST_FAILURES - 1):
        parking.failed("greeter", FAILURE)
    assert parking.refusal("greeter") is None


def test_a_success_between_them_begins_the_row_anew() -> None:
    parking = Parking(ManualClock())
    for _ in range(3):
        for _ in range(MOST_FAILURES - 1):
            parking.failed("greeter", FAILURE)
        parking.succeeded("greeter")
    assert parking.refusal("greeter") is None


def test_it_waits_longer_each_time() -> None:
    clock = ManualClock()
    parking, waited = parked(clock), []
    for _ in range(len(WAITS) + 1):
        before = clock.now()
        while parking.refusal("greeter") is not None:
            clock.jump(5)
        waited.append(clock.now() - before)
        parking.failed("greeter", FAILURE)
    assert waited == [*WAITS, WAITS[-1]]


def test_once_its_time_is_over_one_call_tries_it_and_the_others_pass_by() -> None:
    clock = ManualClock()
    parking = parked(clock)
    clock.jump(WAITS[0] / 1000)
    assert parking.refusal("greeter") is None
    assert "being tried again" in str(parking.refusal("greeter"))
    parking.succeeded("greeter")
    assert parking.refusal("greeter") is None


def test_a_clock_that_was_put_back_parks_nobody_for_years() -> None:
    clock = ManualClock()
    parking = parked(clock)
    clock.jump(-365 * 86_400)
    assert parking.refusal("greeter") is None


def test_what_was_kept_by_another_version_is_no_error() -> None:
    assert read('{"greeter": {"mood": "bad"}}') == read("[]") == read(None) == {}
    assert read('{"greeter": {"failures": 2}}') == {"greeter": Failing(2)}


async def say(bot: Bot, *texts: str) -> None:
    """Let Ann say these, one after the other."""
    for text in texts:
        await receive(bot, entry(f"{len(said(bot, EAST))}{bot.clock.now()}{text}", text))
        await bot.work()


async def trace(bot: Bot, plugin: str) -> list[tuple[object, object]]:
    """Decision and reason of a plugin about the newest message of others."""
    newest = next(row for row in await bot.store.messages(limit=20) if not row["own"])
    lines = await bot.store.trace(int(str(newest["id"]).removeprefix("m")))
    return [(line["decision"], line["reason"]) for line in lines if line["plugin"] == plugin]


@rule
async def test_messages_go_past_a_parked_plugin_and_the_trace_says_so(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(OTHER, folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)), "hi")
        ((decision, reason),) = await trace(bot, "greeter")
        assert decision == "parked"
        assert str(reason).startswith("5 failures in a row; parked until 20")
        assert "ValueError at greeter.py:" in str(reason)
        assert said(bot, EAST)[-1] == "ten"
        await bot.pass_time(WAITS[0] / 1000)
        await say(bot, "hi again")
        assert "fine" in said(bot, EAST)


@rule
async def test_a_parked_plugin_stays_parked_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)))
        await bot.pass_time(2)
        await bot.restart()
        await say(bot, "hi")
        assert [decision for decision, _ in await trace(bot, "greeter")] == ["parked"]


@rule
async def test_a_new_version_is_not_parked_for_what_the_old_one_did(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)))
        write(tmp_path, version("mended"))
        await bot.swap()
        await say(bot, "hi")
        assert said(bot, EAST)[-1] == "mended"


@rule
async def test_a_version_that_was_saved_while_the_bot_was_down_is_not_parked_either(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)))
        await bot.pass_time(2)
        write(tmp_path, version("mended"))
        await bot.restart()
        await say(bot, "hi")
        assert said(bot, EAST)[-1] == "mended"


@rule
async def test_a_new_version_whose_start_ends_every_router_is_parked(tmp_path: Path) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, "hi")
        await bot.pass_time(2)
        write(tmp_path, version("two"))
        for _ in range(MOST_FAILURES + 1):  # the first is the swap's: by then it was another version
            await bot.restart()
            standing = bot.router.standing
            assert standing
            standing._box.ending = Ending(frozenset(), ((-1, "greeter.start"),))
            await standing.begin()  # and no further: none of them gets to keep anything
        assert standing
        assert standing.parking.refusal("greeter")


async def shown(bot: Bot) -> dict[str, Any]:
    """What `relay plugins` and `relay status` tell of the greeter, whose file loads."""
    await bot.store.beat("router", 1, {})
    row: Row = {"name": "greeter", "source": "folder", "state": "active", "error": None, "observe": False}
    (told,) = await as_they_run([row], bot.store, bot.clock)
    return dict(told)


@rule
async def test_a_parked_plugin_is_shown_as_parked_until_a_call_succeeds(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)))
        await bot.pass_time(2)
        assert (await shown(bot))["state"] == "parked"
        await bot.pass_time(WAITS[0] / 1000)  # its time is over, and nothing has tried it
        told = await shown(bot)
        assert (told["state"], told["parked"]["due"]) == ("parked", True)
        assert "ValueError at greeter.py:" in told["error"]["message"]
        await say(bot, "hi")
        await bot.pass_time(2)
        assert ((await shown(bot))["state"], (await shown(bot))["parked"]) == ("active", None)


@rule
async def test_a_router_that_ends_leaves_word_of_what_it_has_just_parked(tmp_path: Path) -> None:
    write(tmp_path, FAILS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await say(bot, *(f"bad hi {number}" for number in range(MOST_FAILURES)))
        ended = asyncio.Event()
        ended.set()
        await bot.router.run(ended)
        assert (await shown(bot))["state"] == "parked"


ASKS = (
    version("fine")
    + """

async def answered(message, ctx):
    pass
"""
)


@rule
@pytest.mark.parametrize("handler", ["greet", "answered"])
async def test_deaths_count_and_are_named_with_the_place_of_their_handler(
    tmp_path: Path, handler: str
) -> None:
    write(tmp_path, ASKS)
    async with make_bot(folder=tmp_path, configured=True) as bot:
        for _ in range(MOST_FAILURES):
            standing = bot.router.standing
            assert standing is not None
            standing._box.ending = Ending(frozenset({1}), ((1, f"greeter.{handler}"),))
            with capture_logs() as logs:
                await bot.work()
            await bot.restart()
        file = str(tmp_path / "plugins" / "greeter.py")
        line = 1 + ASKS[: ASKS.index("@plugin" if handler == "greet" else "async def answered")].count("\n")
        died = next(each for each in logs if each["event"] == "router_died_in_handler")
        assert (died["plugin"], died["handler"], died["file"], died["line"]) == (
            "greeter",
            handler,
            file,
            line,
        )
        told = await shown(bot)
        reason = f"the router died in {handler}"
        assert told["error"] == {"message": reason, "file": file, "line": line}
        row = {"handler": handler, "blocked_ms": 0, "deaths": 5, "file": file, "line": line}
        assert told["handlers"] == [row]


@rule
async def test_a_death_counts_once_however_often_the_store_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, version("fine"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        standing, count, refused = bot.router.standing, bot.store.count, [1, 1]
        assert standing is not None
        standing._box.ending = Ending(frozenset({1}), ((1, "greeter.greet"),))

        async def refusing(name: str, by: int) -> None:
            if refused:
                refused.pop()
                raise StorageError("the disk is full")
            await count(name, by)

        monkeypatch.setattr(bot.store, "count", refusing)
        for _ in range(2):
            with pytest.raises(StorageError):
                await standing.begin()
        await standing.begin()
        assert standing.parking._failing["greeter"].failures == 1
        assert (await shown(bot))["handlers"][0]["deaths"] == 1
