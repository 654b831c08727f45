"""No message is lost to a death, and what kills the router is set aside (contract 4.7)."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, cast

import pytest
from bots import (
    MIRROR,
    ONE,
    TWO,
    WEST,
    entry,
    eventually,
    make_bot,
    messages,
    receive,
    rule,
)
from routing.gates import SETTINGS, Gates, router

from relay.errors import StorageError
from relay.routing.blackbox import SLOT, SLOTS, BlackBox
from relay.routing.pipeline import Pipeline
from relay.routing.router import MOST_AT_ONCE, SETTLING, TRIAL_PATIENCE, Router
from relay.routing.suspects import MOST_ATTEMPTS
from relay.store.protocol import Store
from relay.testing import Bot


async def die_over(bot: Bot, gates: Gates, memory: bytearray | None = None) -> None:
    """Run a new router until everything that can be in hand is, and let it die."""
    gates.box = BlackBox(memory)
    dying = Router(bot.store, cast(Pipeline, gates), bot.clock, SETTINGS, gates.box)
    for _ in range(5):
        await dying.step()
        bot.clock.jump(SETTLING / 1000)
    await dying._tasks.cancel()


async def come_late(bot: Bot, text: str) -> None:
    """A message comes that the receiver could not hand over before: the time of its receipt is past."""
    await receive(bot, entry(text, text, chat_wxid="R:late"))
    bot.clock.jump(SETTLING / 1000)


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
    memory = bytearray(SLOTS * SLOT.size)
    async with make_bot() as bot:
        await receive(bot, entry("1", "deadly"), entry("2", "behind it"))
        await receive(bot, *(entry(chat, "innocent", chat_wxid=chat) for chat in ("R:1", "R:2", "R:3")))
        for death in range(1, MOST_ATTEMPTS + 1):
            await die_over(bot, Gates("deadly", "innocent"), memory)
            assert await attempts(bot) == [death, 0, 1, 1, 1]
        gates = Gates()
        await Router(bot.store, cast(Pipeline, gates), bot.clock, SETTINGS, BlackBox(memory)).drain()
        assert [row["state"] for row in await messages(bot)] == ["set_aside"] + ["routed"] * 4
        assert "deadly" not in gates.begun
        assert (await messages(bot))[0]["reason"] == "the router died 3 times while it was in hand"


@rule
async def test_a_suspect_is_tried_once_nobody_else_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.routing.router.IDENTIFY_BATCH", 100)
    memory = bytearray(SLOTS * SLOT.size)
    async with make_bot() as bot:
        await receive(bot, entry("1", "deadly"), entry("2", "behind it"))
        await die_over(bot, Gates("deadly"), memory)
        await receive(bot, *(entry(f"{n}", f"{n}", chat_wxid=f"R:{n}") for n in range(100, 300)))
        gates = Gates()
        alive = Router(bot.store, cast(Pipeline, gates), bot.clock, SETTINGS, BlackBox(memory))
        await alive.drain()
        assert alive._held
        await come_late(bot, "late")
        await alive.drain()
        assert alive._held
        bot.clock.jump(SETTLING / 1000)
        await alive.drain()
        assert gates.begun[200:] == ["late", "deadly", "behind it"]


@rule
async def test_suspects_are_tried_one_at_a_time() -> None:
    async with make_bot() as bot:
        await receive(bot, *(entry(chat, "slow", chat_wxid=chat) for chat in ("R:1", "R:2", "R:3")))
        await die_over(bot, Gates("slow"))
        gates = Gates("slow")
        await die_over(bot, gates)
        assert gates.begun == ["slow"]


@rule
async def test_a_suspect_does_not_wait_for_ever_for_others_to_be_served() -> None:
    gates = Gates("slow")
    async with make_bot() as bot:
        await receive(bot, entry("1", "deadly"))
        await die_over(bot, Gates("deadly"))
        await receive(bot, *(entry(f"{n}", "slow", chat_wxid=f"R:{n}") for n in range(100, 300)))
        alive = router(bot, gates)
        for _ in range(5):
            await alive.step()
        assert alive._held
        bot.clock.jump(TRIAL_PATIENCE / 1000)
        await alive.step()
        assert not alive._held
        await alive._tasks.cancel()


@rule
async def test_messages_that_take_long_keep_no_others_from_their_turn() -> None:
    gates = Gates("slow")
    async with make_bot() as bot:
        await receive(bot, *(entry(f"{n}", "slow", chat_wxid=f"R:{n}") for n in range(MOST_AT_ONCE)))
        await receive(bot, entry("x", "quick", chat_wxid="R:x"))
        alive = router(bot, gates)
        for _ in range(5):
            await alive.step()
        assert "quick" not in gates.begun
        bot.clock.jump(1)
        for _ in range(2):
            await alive.step()
        assert "quick" in gates.begun
        await alive._tasks.cancel()


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
