"""A callback that takes long to read is on disk before it is answered, and read a part at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import hostile
import pytest
from bots import callback, entry, eventually, make_bot, messages, receive, rule, sealed

from relay.errors import StorageError
from relay.receiving import large
from relay.store.journal import Mark
from relay.store.values import Callback
from relay.testing import Bot
from relay.wire.notifications import CHUNK_ENTRIES, Reading

MANY = [entry(f"{number}") for number in range(1, 5 * CHUNK_ENTRIES)]


async def aside(bot: Bot) -> list[tuple[bytes, int]]:
    """What waits to be read: its bytes, and how often that was begun."""
    rows: list[Any] = await bot.store._db.read(
        lambda db: list(db.execute("SELECT body, attempts FROM aside"))
    )
    return rows


async def left(bot: Bot, body: bytes) -> None:
    """A receiver that has ended left this."""
    await bot.store.put_aside(body, bot.clock.now(), Mark("another"), "another")


async def read(bot: Bot) -> bool:
    return not await aside(bot)


async def received(bot: Bot) -> list[int]:
    rows: list[Any] = await bot.store._db.read(
        lambda db: list(db.execute("SELECT received_at FROM messages"))
    )
    return [row[0] for row in rows]


def refuse_once(bot: Bot, name: str) -> None:
    """A disk that is full for a moment."""
    store: Any = bot.store
    write = getattr(store, name)

    async def refuse(*_: Any) -> None:
        setattr(store, name, write)
        raise StorageError("the disk is full")

    setattr(store, name, refuse)


class Slow:
    """Reading takes until it is let go."""

    def __init__(self, bot: Bot, error: Exception | None = None) -> None:
        self.go = threading.Event()
        self.begun = 0
        self.error = error
        self.read = bot.receiver._intake._large._read
        bot.receiver._intake._large._read = self

    def __call__(self, body: bytes) -> Iterator[Reading]:
        self.begun += 1
        assert self.go.wait(20)
        if self.error:
            raise self.error
        yield from self.read(body)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "PROMPTLY", 0.01)


@rule
async def test_a_body_of_many_entries_is_kept_in_parts() -> None:
    async with make_bot() as bot:
        sizes: list[int] = []
        store: Any = bot.store
        keep_part = store.keep_part

        async def counting(number: int, part: Callback, parts: int) -> None:
            sizes.append(len(part.entries))
            await keep_part(number, part, parts)

        store.keep_part = counting
        await receive(bot, *MANY)
        await eventually(lambda: read(bot))
        assert sorted(row["svrid"] for row in await messages(bot)) == sorted(each["svrid"] for each in MANY)
        assert max(sizes) == CHUNK_ENTRIES


@rule
async def test_what_takes_long_to_read_is_on_disk_when_it_is_answered() -> None:
    async with make_bot() as bot:
        slow, body = Slow(bot), callback(*MANY)
        await bot.push(body)
        assert ([kept for kept, _ in await aside(bot)], await messages(bot)) == ([body], [])
        await receive(bot, entry("quick"))
        assert [row["svrid"] for row in await messages(bot)] == ["quick"]
        slow.go.set()
        await eventually(lambda: read(bot))
        assert len(await messages(bot)) == len(MANY) + 1
        assert "acked_before_durable_total" not in await bot.store.counters()


@rule
async def test_large_bodies_are_read_one_at_a_time() -> None:
    async with make_bot() as bot:
        slow = Slow(bot)
        for number in range(3):
            await bot.push(callback(*[entry(f"{number}-{each['svrid']}") for each in MANY]))
        assert [attempts for _, attempts in await aside(bot)] == [1, 0, 0]
        assert slow.begun == 1
        slow.go.set()
        await eventually(lambda: read(bot))
        assert len(await messages(bot)) == 3 * len(MANY)


@rule
async def test_a_body_whose_reading_was_cut_off_is_read_by_the_next_receiver() -> None:
    async with make_bot() as bot:
        await left(bot, callback(*MANY))
        await bot.restart()
        await bot.receiver.taken_in()
        await eventually(lambda: read(bot))
        assert len(await messages(bot)) == len(MANY)


@rule
async def test_a_body_that_ended_the_receiver_three_times_is_kept_and_not_read_again() -> None:
    async with make_bot() as bot:
        await left(bot, callback(*MANY))
        for _ in range(large.MOST_ATTEMPTS):
            await bot.store.take_aside("another")
        await bot.receiver.taken_in()
        await eventually(lambda: read(bot))
        assert await messages(bot) == []
        assert [each.reason for each in await bot.store.damaged(9)] == ["internal"]


@rule
async def test_an_unforeseen_error_over_a_body_put_aside_costs_that_body_alone() -> None:
    async with make_bot() as bot:
        slow = Slow(bot, RuntimeError("nobody thought of this"))
        await bot.push(callback(*MANY))
        slow.go.set()
        await eventually(lambda: read(bot))
        assert [each.reason for each in await bot.store.damaged(9)] == ["internal"]
        await receive(bot, entry("later"))
        assert [row["svrid"] for row in await messages(bot)] == ["later"]


@rule
async def test_what_was_put_aside_counts_as_received_when_it_came() -> None:
    async with make_bot() as bot:
        came = bot.clock.now()
        await left(bot, callback(entry("1")))
        bot.clock.jump(7200)
        await bot.receiver.taken_in()
        await eventually(lambda: read(bot))
        assert await received(bot) == [came]


@pytest.mark.parametrize("refused", ["take_aside", "drop_aside"])
@rule
async def test_what_was_put_aside_is_read_though_the_disk_refuses_meanwhile(refused: str) -> None:
    async with make_bot() as bot:
        for number in range(3):
            await left(bot, callback(entry(f"{number}")))
        refuse_once(bot, refused)
        await bot.receiver.taken_in()
        await eventually(lambda: read(bot))
        assert len(await messages(bot)) == 3


@pytest.mark.parametrize("body", [b"x" * 300_000, sealed(b"7" * 300_000), sealed(b"[" * 300_000)])
@rule
async def test_a_large_body_that_cannot_be_read_is_kept_like_a_small_one(body: bytes) -> None:
    async with make_bot() as bot:
        await bot.push(body)
        await eventually(lambda: read(bot))
        assert len(await bot.store.damaged(9)) == 1


@rule
async def test_an_odd_body_is_read_beside_the_loop_however_small_it_is() -> None:
    async with make_bot() as bot:
        slow = Slow(bot)
        await bot.push(sealed(hostile.envelope(hostile.entry(content=hostile.deep(b"[", depth=5000)))))
        assert len(await aside(bot)) == 1
        slow.go.set()
        await eventually(lambda: read(bot))
        assert len(await messages(bot)) == 1
