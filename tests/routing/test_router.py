"""Conversations in order and side by side, and no message lost to a death (contract 4.5 and 4.7)."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import apsw
import pytest
from bots import (
    EAST,
    MIRROR,
    ONE,
    TWO,
    WEST,
    deliveries,
    entry,
    eventually,
    make_bot,
    messages,
    receive,
    rule,
)

from relay.errors import StorageError
from relay.message import Message
from relay.pipeline import Pipeline
from relay.router import MOST_ATTEMPTS, Router, RouterSettings
from relay.store.protocol import Store
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import NewDelivery, Routing, TraceLine
from relay.testing import Bot

SETTINGS = RouterSettings(10**12, 1000, dt.UTC, accounts_configured=True)


def forward(target: str = WEST) -> NewDelivery:
    return NewDelivery("p", "r", 0, DeliveryKind.FORWARD, ONE, target, None)


class Gates:
    """A pipeline in which messages wait at the gate of their text, if that is closed."""

    includes_own = False

    def __init__(self, *closed: str) -> None:
        self.gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.closed = set(closed)
        self.begun: list[str] = []

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Routing:
        self.begun.append(message.text)
        if message.text in self.closed:
            await self.gates[message.text].wait()
        line = TraceLine("p", "r", "forward", "to West", 0.1)
        return Routing(number, MessageState.ROUTED, None, (line,), (forward(),))

    def stored(self, routing: Routing) -> None:
        """There is nothing to remember."""

    async def has_begun(self, text: str) -> None:
        async def there() -> bool:
            return text in self.begun

        await eventually(there)


def router(bot: Bot, gates: Gates) -> Router:
    return Router(bot.store, cast(Pipeline, gates), bot.clock, SETTINGS)


@asynccontextmanager
async def routed(bot: Bot, gates: Gates) -> AsyncIterator[Router]:
    """A router that runs beside the test and dies at its end."""
    alive = router(bot, gates)
    stop = asyncio.Event()

    async def step_and_look() -> bool:
        await alive.step()
        return stop.is_set()

    task = asyncio.create_task(eventually(step_and_look))
    yield alive
    stop.set()
    await task
    await alive._tasks.cancel()


async def until(bot: Bot, svrid: str, state: str) -> None:
    async def there() -> bool:
        return {row["svrid"]: row["state"] for row in await messages(bot)}.get(svrid) == state

    await eventually(there)


# -- order ---------------------------------------------------------------------


@rule
async def test_a_slow_message_delays_its_own_conversation_and_no_other() -> None:
    gates = Gates("slow")
    async with make_bot() as bot, routed(bot, gates):
        await receive(bot, entry("1", "slow"), entry("2", "behind it"), entry("3", "beside", chat_wxid=WEST))
        await until(bot, "3", "routed")
        assert sorted(gates.begun) == ["beside", "slow"]
        gates.gates["slow"].set()
        await until(bot, "2", "routed")
        assert gates.begun.index("behind it") > gates.begun.index("slow")


@rule
async def test_a_conversation_is_routed_in_the_order_received() -> None:
    gates = Gates()
    async with make_bot() as bot:
        texts = [f"{number:03}" for number in range(150)]
        await receive(bot, *(entry(text, text, msg_time=1_700_000_000_000) for text in texts))
        await router(bot, gates).drain()
        assert gates.begun == texts
        positions = await bot.store._db.read(
            lambda db: db.execute("SELECT message FROM deliveries ORDER BY position").fetchall()
        )
        assert positions == [(number + 1,) for number in range(150)]


@rule
async def test_conversations_take_turns_where_more_wait_than_can_be_in_hand() -> None:
    gates = Gates()
    async with make_bot() as bot:
        chats = [f"R:{number}" for number in range(100)]
        await receive(bot, *(entry(f"{c}{n}", f"{n}", chat_wxid=c) for c in chats for n in range(2)))
        await router(bot, gates).drain()
        assert len(gates.begun) == 200
        assert gates.begun[:64] == ["0"] * 64


# -- one transaction, once -----------------------------------------------------


async def claim(bot: Bot) -> list[int]:
    identified, _ = await bot.store.identify(10, 10**12)
    ids = [each.id for each in identified]
    await bot.store.claim(ids)
    return ids


@rule
async def test_message_trace_and_deliveries_are_stored_together_or_not_at_all() -> None:
    async with make_bot() as bot:
        await receive(bot, entry())
        [message] = await claim(bot)
        line = TraceLine("p", "r", "forward", "", 0.1)
        bad = Routing(message, MessageState.ROUTED, None, (line,), (forward(), forward("")))
        with pytest.raises(apsw.ConstraintError):
            await bot.store.finish(bad, 1000)
        assert [row["state"] for row in await messages(bot)] == ["waiting"]
        assert await deliveries(bot) == []
        traces = await bot.store._db.read(lambda db: db.execute("SELECT count(*) FROM traces").fetchall())
        assert traces == [(0,)]


@rule
async def test_finishing_a_message_again_adds_nothing() -> None:
    async with make_bot() as bot:
        await receive(bot, entry())
        [message] = await claim(bot)
        line = TraceLine("p", "r", "forward", "", 0.1)
        assert await bot.store.finish(
            Routing(message, MessageState.ROUTED, None, (line,), (forward(),)), 1000
        )
        again = Routing(message, MessageState.ROUTED, None, (line,), (forward(), forward("R:9")))
        assert not await bot.store.finish(again, 1000)
        assert [row["target"] for row in await deliveries(bot)] == [WEST]


@rule
async def test_a_source_that_a_copy_was_acted_on_for_is_not_acted_on_again() -> None:
    """Also where the copy has waited through it, as one does whose source became known late."""
    async with make_bot() as bot:
        await receive(bot, entry("1"))
        await receive(bot, entry("2"), account=TWO)
        one, two = await claim(bot)
        assert await bot.store.finish(Routing(two, MessageState.ROUTED, None, (), (forward(),)), 1000)
        await bot.store._db.write(
            lambda db: db.execute("UPDATE messages SET state = 'waiting' WHERE id = ?", (one,))
        )
        assert not await bot.store.finish(Routing(one, MessageState.ROUTED, None, (), (forward(),)), 1000)
        assert [row["reason"] for row in await messages(bot)] == [f"copy of m{two}", None]
        assert [row["message_id"] for row in await deliveries(bot)] == [f"m{two}"]


@rule
async def test_of_two_copies_in_hand_at_once_the_first_to_end_counts() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"))
        await receive(bot, entry("2"), account=TWO)
        one, two = await claim(bot)
        assert await bot.store.finish(Routing(two, MessageState.ROUTED, None, (), (forward(),)), 1000)
        assert not await bot.store.finish(Routing(one, MessageState.ROUTED, None, (), (forward(),)), 1000)
        assert [row["message_id"] for row in await deliveries(bot)] == [f"m{two}"]


@rule
async def test_who_came_second_does_not_take_itself_for_the_acting_account() -> None:
    gates = Gates("slow", "fast")
    async with make_bot(accounts=(ONE, TWO)) as bot:
        await receive(bot, entry("1"))
        async with routed(bot, gates) as alive:
            await until(bot, "1", "routed")
            await receive(bot, entry("12", "slow"), account=TWO)
            bot.clock.jump(5)
            await gates.has_begun("slow")
            gates.closed.remove("slow")
            await receive(bot, entry("2", "slow"))
            await until(bot, "2", "routed")
            gates.gates["slow"].set()
            await until(bot, "12", "skipped")
            await alive._tasks.wait()
            assert alive._acting.get(EAST, ONE) == ONE


# -- death ---------------------------------------------------------------------


async def die_over(bot: Bot, gates: Gates) -> None:
    """Run a new router until everything that can be in hand is, and let it die."""
    dying = router(bot, gates)
    for _ in range(3):
        if await _is_held_up(dying, gates):
            break
    await dying._tasks.cancel()


async def _is_held_up(dying: Router, gates: Gates) -> bool:
    """Take one step; a suspect that is tried alone holds it up, and that is where it dies."""
    before = len(gates.begun)
    step = asyncio.create_task(dying.step())

    async def over() -> bool:
        return step.done() or gates.begun[before:] == ["deadly"]

    await eventually(over)
    step.cancel()
    await asyncio.wait({step})
    return step.cancelled()


async def attempts(bot: Bot) -> list[int]:
    return await bot.store._db.read(
        lambda db: [int(row[0]) for row in db.execute("SELECT attempts FROM messages ORDER BY id")]
    )


@rule
async def test_an_attempt_is_counted_before_the_plugins_run() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1", "deadly"), entry("2", "behind it"))
        await die_over(bot, Gates("deadly"))
        assert await attempts(bot) == [1, 0]


@rule
async def test_what_kills_the_router_three_times_is_set_aside_and_the_innocent_are_not() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1", "deadly"), entry("2", "behind it"))
        await receive(bot, *(entry(chat, "innocent", chat_wxid=chat) for chat in ("R:1", "R:2", "R:3")))
        await die_over(bot, Gates("deadly", "innocent"))
        assert await attempts(bot) == [1, 0, 1, 1, 1]
        for _ in range(MOST_ATTEMPTS - 1):
            await die_over(bot, Gates("deadly", "innocent"))
        assert await attempts(bot) == [3, 0, 1, 1, 1]
        gates = Gates()
        await router(bot, gates).drain()
        assert [row["state"] for row in await messages(bot)] == ["set_aside"] + ["routed"] * 4
        assert "deadly" not in gates.begun
        assert (await messages(bot))[0]["reason"] == "the router died 3 times while it was in hand"


@rule
async def test_a_copy_of_what_was_set_aside_is_not_tried_instead() -> None:
    async with make_bot(accounts=(ONE, TWO)) as bot:
        await receive(bot, entry("1", "deadly"))
        for _ in range(MOST_ATTEMPTS):
            await die_over(bot, Gates("deadly"))
        await receive(bot, entry("2", "deadly"), account=TWO)
        bot.clock.jump(60)
        await router(bot, Gates()).drain()
        assert [row["state"] for row in await messages(bot)] == ["set_aside", "skipped"]


@rule
async def test_what_was_let_through_but_not_routed_is_taken_up_after_a_restart() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await receive(bot, entry("1"), entry("2", "ho"))
        await bot.store.identify(10, 10**12)
        await bot.restart()
        await bot.router.drain()
        assert [row["state"] for row in await messages(bot)] == ["routed", "routed"]


class Refusing:
    """A store that refuses what is listed, as a full or locked disk does."""

    def __init__(self, bot: Bot, *calls: str) -> None:
        self.store = bot.store
        self.refused = list(calls)
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.store, name)

        async def ask(*args: Any, **more: Any) -> Any:
            if name in self.refused:
                self.times += 1
                raise StorageError("the disk is full")
            return await asked(*args, **more)

        return ask if inspect.iscoroutinefunction(asked) else asked


async def refused_often(bot: Bot, store: Refusing) -> None:
    """Let time go by until the router has asked more often than a deadly message is tried."""

    async def there() -> bool:
        await bot.clock.advance(1)
        return store.times > MOST_ATTEMPTS

    await eventually(there)


@pytest.mark.parametrize("call", ["waiting", "identify", "turn", "claim", "finish"])
@rule
async def test_a_store_that_refuses_for_a_while_costs_no_message_an_attempt(call: str) -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"), entry("2", "behind it"))
        store = Refusing(bot, call)
        draining = asyncio.create_task(
            Router(cast(Store, store), cast(Pipeline, Gates()), bot.clock, SETTINGS).drain()
        )
        await refused_often(bot, store)
        store.refused.clear()
        await bot.clock.drive(draining)
        assert [row["state"] for row in await messages(bot)] == ["routed", "routed"]
        assert await attempts(bot) == [1, 1]


@rule
async def test_a_stop_while_the_store_refuses_counts_against_no_message() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"), entry("2", chat_wxid=WEST))
        store, stop = Refusing(bot, "finish"), asyncio.Event()
        ending = Router(cast(Store, store), cast(Pipeline, Gates()), bot.clock, SETTINGS)
        running = asyncio.create_task(ending.run(stop))
        await refused_often(bot, store)
        assert await attempts(bot) == [1, 1]
        stop.set()
        await bot.clock.drive(running)
        assert await attempts(bot) == [0, 0]


@rule
async def test_told_to_stop_it_finishes_what_is_in_hand() -> None:
    gates = Gates("slow")
    async with make_bot() as bot:
        await receive(bot, entry("1", "slow"))
        stop = asyncio.Event()
        running = asyncio.create_task(router(bot, gates).run(stop))
        await gates.has_begun("slow")
        stop.set()
        gates.gates["slow"].set()

        async def ended() -> bool:
            await bot.clock.advance(1)
            return running.done()

        await eventually(ended)
        assert [row["state"] for row in await messages(bot)] == ["routed"]
