"""What plugins remember, held to a dict: scopes, times to live, compare-and-set, and who waits for whom."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from bots import ANN, BEN, EAST, WEST, make_bot, rule, said
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.authoring.state import State, StateBook, StatePage
from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Store
from relay.store.sqlite.forgetting import Forgetting
from relay.store.values import StateChange


class Disk:
    """As much of a store as state needs, in a dict; every question lets others run first."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.kept: dict[tuple[str, str], tuple[str, int | None]] = {}

    async def state(self, plugin: str, key: str) -> tuple[str, int | None] | None:
        await asyncio.sleep(0)
        return self.kept.get((plugin, key))

    def store(self, changes: tuple[StateChange, ...]) -> None:
        """What `finish` does with them."""
        for change in changes:
            key = (change.plugin, change.key)
            value, ends = self.kept.pop(key, (None, None))
            over = value is None or (ends is not None and ends <= self.clock.now())
            if change.by is not None:
                self.kept[key] = (str(change.by + (0 if over else int(value or 0))), change.expires_at)
            elif change.value is not None:
                self.kept[key] = (change.value, change.expires_at)


class World:
    """A book over a disk, and a page that is stored or torn out."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.disk = Disk(self.clock)
        self.book = StateBook(cast(Store, self.disk), self.clock)

    def store(self, page: StatePage) -> None:
        changes = page.close()
        self.disk.store(changes)
        self.book.settle(changes)


Model = dict[tuple[str, str, str], tuple[Any, float | None]]

SCOPES = st.sampled_from([("", ""), ("c", ""), ("", "s"), ("c", "s"), ("s", "c")])
KEYS = st.sampled_from(["k", "c", "\x1e"])
VALUES = st.sampled_from([None, 0, 1, "a", [1, {"b": None}]])
TTLS = st.sampled_from([None, 5, "10s", dt.timedelta(seconds=20)])
STEPS = st.one_of(
    st.tuples(st.just("set"), SCOPES, KEYS, VALUES, TTLS),
    st.tuples(st.just("delete"), SCOPES, KEYS),
    st.tuples(st.just("increment"), SCOPES, KEYS, st.integers(-2, 2), TTLS),
    st.tuples(st.just("compare"), SCOPES, KEYS, VALUES, VALUES, TTLS),
    st.tuples(st.just("wait"), st.integers(1, 12)),
    st.tuples(st.just("end"), st.booleans()),
)


def seconds(ttl: str | float | dt.timedelta | None) -> Any:
    return 10.0 if ttl == "10s" else ttl.total_seconds() if isinstance(ttl, dt.timedelta) else ttl


class Reading:
    """The plain dict that the state is held to; `now` in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept: Model = {}

    def get(self, scope: tuple[str, str], key: str, default: Any = None) -> Any:
        value, ends = self.kept.get((*scope, key), (default, None))
        return default if ends is not None and ends <= self.now else value

    def put(self, scope: tuple[str, str], key: str, value: Any, ttl: Any) -> None:
        ends = seconds(ttl)
        self.kept[(*scope, key)] = (value, None if ends is None else self.now + ends)


def scoped(state: State, scope: tuple[str, str]) -> State:
    return state.of(chat=scope[0], sender=scope[1]) if any(scope) else state


async def step(state: State, model: Reading, what: Any) -> None:
    """One operation on both, which must say the same."""
    word, scope, key, *more = what
    place = scoped(state, scope)
    assert await place.get(key, "nothing") == model.get(scope, key, "nothing")
    if word == "set":
        await place.set(key, more[0], ttl=more[1])
        model.put(scope, key, *more)
    elif word == "delete":
        await place.delete(key)
        model.kept.pop((*scope, key), None)
    elif word == "increment":
        before = model.get(scope, key, 0)
        if isinstance(before, int):
            assert await place.increment(key, more[0], ttl=more[1]) == before + more[0]
            model.put(scope, key, before + more[0], more[1])
        else:
            with pytest.raises(TypeError, match="no whole number"):
                await place.increment(key, more[0])
    else:
        expected, value, ttl = more
        fits = model.get(scope, key) == expected
        assert await place.compare_and_set(key, expected, value, ttl) is fits
        if fits and value is None:
            model.kept.pop((*scope, key), None)
        elif fits:
            model.put(scope, key, value, ttl)


async def play(steps: list[Any]) -> None:
    world, model = World(), Reading()
    page, kept = world.book.open(), dict(model.kept)
    for what in steps:
        if what[0] == "wait":
            world.clock.jump(what[1])
            model.now += what[1]
        elif what[0] == "end":
            if what[1]:
                world.store(page)
            else:
                page.tear_out()
                model.kept = kept
            page, kept = world.book.open(), dict(model.kept)
        else:
            await step(page.of("p"), model, what)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_state_agrees_with_a_dict_whatever_is_done_and_undone(steps: list[Any]) -> None:
    asyncio.run(play(steps))


# -- side by side ------------------------------------------------------------------------------------


@rule
async def test_of_many_that_expect_the_same_one_gets_its_way() -> None:
    world, won = World(), []

    async def claim(number: int) -> None:
        page = world.book.open()
        if await page.of("p").compare_and_set("owner", None, number):
            won.append(number)
        await asyncio.sleep(0)
        world.store(page)

    await asyncio.gather(*(claim(number) for number in range(20)))
    assert len(won) == 1
    assert world.disk.kept == {("p", "owner"): (str(won[0]), None)}


@rule
async def test_additions_by_comparing_are_never_lost_whoever_is_stored_first() -> None:
    world = World()

    async def add(number: int) -> None:
        page = world.book.open()
        state = page.of("p")
        while not await state.compare_and_set("n", seen := await state.get("n"), (seen or 0) + 1):
            pass
        for _ in range(number % 3):
            await asyncio.sleep(0)
        world.store(page)

    await asyncio.gather(*(add(number) for number in range(30)))
    assert world.disk.kept == {("p", "n"): ("30", None)}


@rule
async def test_whoever_compares_waits_for_one_that_may_yet_fail() -> None:
    world = World()
    first, second = world.book.open(), world.book.open()
    assert await first.of("p").compare_and_set("k", None, 1)
    waiting = asyncio.create_task(second.of("p").compare_and_set("k", None, 2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    first.tear_out()
    assert await waiting is True


@rule
async def test_of_two_that_ask_at_once_the_second_gets_it_where_the_first_fails() -> None:
    world = World()

    async def claim(fails: bool) -> bool:
        page = world.book.open()
        got = await page.of("p").compare_and_set("k", None, 1)
        await asyncio.sleep(0)
        page.tear_out() if fails else world.store(page)
        return got

    assert all(await asyncio.gather(claim(True), claim(False)))
    assert world.disk.kept == {("p", "k"): ("1", None)}


@pytest.mark.parametrize(
    "change", [lambda s: s.set("k", 5), lambda s: s.delete("k"), lambda s: s.increment("k")]
)
@rule
async def test_whoever_changes_waits_for_one_that_compared(
    change: Callable[[State], Coroutine[Any, Any, object]],
) -> None:
    world = World()
    first, second = world.book.open(), world.book.open()
    assert await first.of("p").compare_and_set("k", None, 1)
    waiting = asyncio.create_task(change(second.of("p")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    world.store(first)
    await waiting


@rule
async def test_two_that_wait_for_each_other_do_not_wait_for_ever() -> None:
    world = World()
    first, second = world.book.open(), world.book.open()
    assert await first.of("p").compare_and_set("a", None, 1)
    assert await second.of("p").compare_and_set("b", None, 1)
    waiting = asyncio.create_task(first.of("p").compare_and_set("b", None, 1))
    await asyncio.sleep(0)
    assert await second.of("p").compare_and_set("a", None, 1) is False
    second.tear_out()
    assert await waiting is True


@rule
async def test_two_handlers_of_one_message_do_not_wait_for_each_other() -> None:
    world, message = World(), object()
    first, second = world.book.open(message), world.book.open(message)
    assert await first.of("p").compare_and_set("k", None, 1)
    first.close()
    assert await second.of("p").compare_and_set("k", 1, 2)


# -- scopes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"chat": "", "sender": ""}, {"chat": "a\x1fb"}, {"sender": 7}])
def test_a_scope_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        World().book.open().of("p").of(**given)


@rule
async def test_no_key_reaches_into_a_scope() -> None:
    state = World().book.open().of("p")
    with pytest.raises(ValueError, match="cannot begin"):
        await state.set("\x1fc\x1f\x1fk", 1)


COUNTER = """
from relay import Plugin, Reply
plugin = Plugin("counter")

@plugin.on_message
async def count(message, ctx):
    mine = ctx.state.of(chat=message.chat).of(sender=message.sender)
    return Reply(f"{await mine.increment('n')} of {await ctx.state.increment('n')}")
"""


@rule
async def test_forgetting_somebody_forgets_what_was_kept_for_them(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "counter.py").write_text(COUNTER, "utf-8")
    async with make_bot(folder=tmp_path, configured=True) as bot:
        for chat, sender in ((EAST, ANN), (EAST, BEN), (WEST, ANN), (EAST, ANN)):
            bot.simulator.say(chat, sender, "x")
            await bot.work()
        assert said(bot, EAST)[1::2] == ["1 of 1", "1 of 2", "2 of 4"]
        forgetting = Forgetting(bot.config.database, ANN)
        assert forgetting.forget(bot.clock.now(), lambda part: None)["plugin_state"] == 2
        forgetting.close()
        for sender in (ANN, BEN):
            bot.simulator.say(EAST, sender, "y")
            await bot.work()
        assert said(bot, EAST)[-3::2] == ["1 of 5", "2 of 6"]
