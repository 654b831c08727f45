"""Conversations in order and side by side, and every message once (contract 4.5)."""

from __future__ import annotations

import apsw
import pytest
from bots import (
    EAST,
    ONE,
    TWO,
    WEST,
    deliveries,
    entry,
    make_bot,
    messages,
    receive,
    rule,
)
from routing.gates import Gates, forward, routed, router, until

from relay.store.states import MessageState
from relay.store.values import Routing, TraceLine
from relay.testing import Bot

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
async def test_a_copy_that_comes_while_another_is_in_hand_is_asked_about_no_second_time() -> None:
    gates = Gates("slow")
    async with make_bot(accounts=(ONE, TWO)) as bot:
        await receive(bot, entry("1"))
        async with routed(bot, gates) as alive:
            await until(bot, "1", "routed")
            await receive(bot, entry("12", "slow"), account=TWO)
            bot.clock.jump(5)
            await gates.has_begun("slow")
            await receive(bot, entry("2", "slow"))
            for _ in range(10):
                await alive.step()
            gates.gates["slow"].set()
            await until(bot, "2", "skipped")
            await alive._tasks.wait()
            assert gates.begun == ["hi", "slow"]
            assert alive._acting.get(EAST) == TWO
