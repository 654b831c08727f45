"""Whatever the routes, the accounts and the platform: every message once where it should be, no loop."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from bots import ANN, BEN, make_bot, rule, said, states
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.simulator.habits import Habits, SharedId
from relay.testing import Bot

ACCOUNTS = tuple(f"168885000000000{number}" for number in range(1, 4))
MANY = [pytest.param(15, id="some"), pytest.param(200, id="many", marks=pytest.mark.long)]
ROOMS = tuple(f"R:1095000000000000{number}" for number in range(1, 7))


@dataclass(frozen=True)
class World:
    """Rooms with our accounts in them, routes between them, and what is said: (room, text, by staff)."""

    rooms: dict[str, tuple[str, ...]]
    routes: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]  #: from, to; equal: between
    lines: tuple[tuple[str, str, bool], ...]
    habits: Habits

    def toml(self) -> str:
        """The routes as a person would write them."""
        return "\n".join(
            f'[[plugins.group_mirror.routes]]\nname = "{number}"\n'
            + (
                f"between = {json.dumps(source)}"
                if source == target and len(source) > 1
                else f"from = {json.dumps(source)}\nto = {json.dumps(target)}"
            )
            for number, (source, target) in enumerate(self.routes)
        )

    def expected(self, room: str) -> Counter[str]:
        """What people should see there: what was said there, and what a route brings, once."""
        return Counter(
            text
            for origin, text, staff in self.lines
            if origin == room
            or (not staff and any(origin in source and room in target for source, target in self.routes))
        )


@st.composite
def worlds(draw: st.DrawFn, *, everywhere: bool = True) -> World:
    rooms = ROOMS[: draw(st.integers(2, 6))]
    accounts = ACCOUNTS[: draw(st.integers(1, 3))]
    inside = st.just(accounts) if everywhere else st.sets(st.sampled_from(accounts), min_size=1).map(sorted)
    some = st.lists(st.sampled_from(rooms), min_size=1, unique=True).map(tuple)
    several = st.lists(st.sampled_from(rooms), min_size=2, unique=True).map(tuple)
    one_way = st.tuples(some, some).filter(lambda pair: pair[0] != pair[1] or len(pair[0]) > 1)
    route = st.one_of(one_way, several.map(lambda group: (group, group)))
    # Few texts, so that people say the same thing again.
    line = st.tuples(st.sampled_from(rooms), st.sampled_from("abc"), st.booleans())
    return World(
        {room: tuple(draw(inside)) for room in rooms},
        tuple(draw(st.lists(route, min_size=1, max_size=4))),
        tuple(draw(st.lists(line, min_size=1, max_size=6))),
        Habits(
            wx_svrid=draw(st.sampled_from([SharedId.SHARED, SharedId.ABSENT])),
            api_ids_in_extra=draw(st.booleans()),
            concurrent_pushes=draw(st.booleans()),
        ),
    )


def bot_in(world: World) -> Bot:
    accounts = tuple(sorted({account for inside in world.rooms.values() for account in inside}))
    rooms = {room: (*inside, ANN, BEN) for room, inside in world.rooms.items()}
    return make_bot(world.toml(), accounts=accounts, rooms=rooms, habits=world.habits, configured=True)


async def live_through(bot: Bot, world: World, data: st.DataObject | None = None) -> None:
    """Let everything be said, with pauses, repeated pushes and restarts in between where `data` says so."""
    for room, text, staff in world.lines:
        bot.simulator.say(room, world.rooms[room][0] if staff else ANN, text)
        if data is None or data.draw(st.booleans()):
            await bot.work()
        if data is not None and data.draw(st.booleans()):
            await again(bot, data)
        if data is not None and data.draw(st.integers(0, 5)) == 0:
            await bot.restart()
    for _ in range(4):
        await bot.pass_time(31)


async def again(bot: Bot, data: st.DataObject) -> None:
    """Push some of what was pushed before once more, in any order."""
    known = bot.simulator.ledger.pushes
    for push in data.draw(st.lists(st.sampled_from(known), max_size=4)) if known else []:
        bot.simulator.pusher.add(push.account, push.plaintext)


def tried(test: Callable[..., None], examples: int, **given_: st.SearchStrategy[Any]) -> None:
    """Try it in so many worlds."""
    many = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    many(given(**given_)(test))()


@pytest.mark.parametrize("examples", MANY)
def test_every_message_appears_once_wherever_it_should_and_nowhere_else(examples: int) -> None:
    tried(appears_once, examples, world=worlds(), data=st.data())


def appears_once(world: World, data: st.DataObject) -> None:
    async def live() -> None:
        async with bot_in(world) as bot:
            await live_through(bot, world, data)
            for room in world.rooms:
                assert Counter(said(bot, room)) == world.expected(room), room
            assert set(await states(bot)) <= {"delivered"}

    with structlog.testing.capture_logs():
        asyncio.run(live())


@pytest.mark.parametrize("examples", MANY)
def test_where_the_acting_account_is_no_member_a_message_is_missing_and_never_doubled(examples: int) -> None:
    """A forward goes out by the account that received the message, wherever that one can write."""
    tried(never_doubled, examples, world=worlds(everywhere=False))


def never_doubled(world: World) -> None:
    async def live() -> None:
        async with bot_in(world) as bot:
            await live_through(bot, world)
            for room, inside in world.rooms.items():
                seen, expected = Counter(said(bot, room)), world.expected(room)
                assert not seen - expected, room
                if all(set(members) <= set(inside) for members in world.rooms.values()):
                    assert seen == expected, room

    with structlog.testing.capture_logs():
        asyncio.run(live())


@rule
async def test_the_oracle_itself_tells_a_missing_and_a_doubled_message() -> None:
    both = (ROOMS[0], ROOMS[1])
    lines = ((ROOMS[0], "a", False), (ROOMS[0], "b", True))
    world = World(dict.fromkeys(both, ACCOUNTS[:1]), ((both, both),), lines, Habits())
    assert world.expected(ROOMS[1]) == Counter({"a": 1})
    assert world.expected(ROOMS[0]) == Counter({"a": 1, "b": 1})
