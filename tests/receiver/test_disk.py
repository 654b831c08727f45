"""A callback is on disk before it is answered, where the disk lets it be, and in the database soon after."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from bots import callback, entry, eventually, make_bot, messages, receive, rule

from relay.errors import StorageError
from relay.receiving import receiver as receivers
from relay.receiving.receiver import MOST_LATE
from relay.roles import build_receiver
from relay.store.journal import ROOM, Care, Journal, Mark, Record
from relay.testing import SECRETS, Bot, asgi_call

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]


async def damaged(bot: Bot) -> list[str]:
    await bot.receiver.taken_in()
    return [each.reason for each in await bot.store.damaged(100)]


class Disk:
    """A disk that syncs nothing while it is `full`, and nothing for a while where it is not `free`."""

    def __init__(self, bot: Bot) -> None:
        self._journal = bot.receiver._journal.journal
        self.full = False
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Event()
        self._journal._care = Care(self.sync, ROOM)

    def take_nothing(self) -> None:
        """Be so full that not even the page cache has what was to be written."""
        self._journal._care = Care(self.sync, ROOM, most=0)

    def sync(self, _: int) -> None:
        self.asked.set()
        assert self.free.wait(20)
        if self.full:
            raise OSError("the disk is full")


@contextlib.contextmanager
def hurried(bot: Bot, *, answer_within: float = 0.01, most_late: int = MOST_LATE) -> Iterator[Disk]:
    """Let the receiver answer after next to no time, whatever its disk does."""
    bot.receiver._settings = replace(bot.receiver._settings, answer_within=answer_within, most_late=most_late)
    disk = Disk(bot)
    try:
        yield disk
    finally:
        disk.free.set()


class Stubborn:
    """A store that takes nothing while it is `full`, and nothing for a while where it is `locked`."""

    def __init__(self, bot: Bot) -> None:
        self.store = bot.store
        self.origin = bot.store.origin
        self.full = False
        self.unlocked = asyncio.Event()
        self.unlocked.set()
        bot.receiver._intake._store = self

    def __getattr__(self, name: str) -> Any:
        async def write(*args: Any, **more: Any) -> Any:
            await self.unlocked.wait()
            if self.full:
                raise StorageError("the database is full")
            return await getattr(self.store, name)(*args, **more)

        return write


async def ready(bot: Bot) -> bool:
    status, body = await asgi_call(bot.door, "GET", "/readyz")
    assert (status, body) in (
        (200, b'{"ready":true,"reasons":[]}'),
        (503, b'{"ready":false,"reasons":["storage"]}'),
    )
    return status == 200


@rule
async def test_nobody_is_answered_before_the_sync_is_over() -> None:
    async with make_bot() as bot:
        with hurried(bot, answer_within=20) as disk:
            disk.free.clear()
            answer = asyncio.create_task(asgi_call(bot.door, "POST", PATH, body=callback(entry())))
            await asyncio.to_thread(disk.asked.wait, 20)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not answer.done()
            disk.free.set()
            assert (await answer)[0] == 200


@pytest.mark.parametrize("trouble", ["full", "slow"])
@pytest.mark.parametrize("body", [callback(entry()), b"not base64!"], ids=["good", "bad"])
@rule
async def test_a_callback_that_the_disk_refuses_is_answered_and_written_later(
    trouble: str, body: bytes
) -> None:
    async with make_bot() as bot:
        with hurried(bot) as disk:
            disk.full = trouble == "full"
            if trouble == "slow":
                disk.free.clear()
            assert await bot.push(body) == 200
            assert not await ready(bot)
            disk.full = False
            disk.free.set()
            await eventually(lambda: ready(bot))
        assert len(await messages(bot)) + len(await damaged(bot)) == 1
        assert (await bot.store.counters())["acked_before_durable_total"] == 1


@pytest.mark.parametrize("trouble", ["full", "locked"])
@pytest.mark.parametrize("body", [callback(entry()), b"not base64!"], ids=["good", "bad"])
@rule
async def test_a_callback_waits_for_no_database(trouble: str, body: bytes) -> None:
    async with make_bot() as bot:
        store = Stubborn(bot)
        store.full = trouble == "full"
        if trouble == "locked":
            store.unlocked.clear()
        assert (await asgi_call(bot.door, "POST", PATH, body=body))[0] == 200
        store.full = False
        store.unlocked.set()
        assert len(await messages(bot)) + len(await damaged(bot)) == 1
        assert "acked_before_durable_total" not in await bot.store.counters()


@rule
async def test_a_database_that_refuses_makes_the_receiver_unready() -> None:
    async with make_bot() as bot:
        store = Stubborn(bot)
        store.full = True
        await asgi_call(bot.door, "POST", PATH, body=callback(entry()))

        async def unready() -> bool:
            return not await ready(bot)

        await eventually(unready)
        store.full = False
        await eventually(lambda: ready(bot))


@rule
async def test_answers_that_took_long_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "SLOW", ((0.005, "answers_slow_total"), (60.0, "answers_late_total")))
    async with make_bot() as bot:
        with hurried(bot) as disk:
            disk.full = True
            await receive(bot, entry())
            disk.full = False
            await eventually(lambda: ready(bot))
        await bot.receiver.taken_in()
        counted = await bot.store.counters()
        assert (counted["answers_slow_total"], counted.get("answers_late_total")) == (1, None)


@rule
async def test_what_the_disk_takes_late_counts_as_received_when_it_came() -> None:
    async with make_bot() as bot:
        came = bot.clock.now()
        with hurried(bot) as disk:
            disk.full = True
            await receive(bot, entry())
            bot.clock.jump(7200)
            disk.full = False
            await eventually(lambda: ready(bot))
        await bot.receiver.taken_in()
        kept = await bot.store._db.read(lambda db: db.execute("SELECT received_at FROM messages").fetchall())
        assert kept == [(came,)]


@rule
async def test_whom_the_disk_refused_goes_before_whoever_came_later() -> None:
    async with make_bot() as bot:
        with hurried(bot) as disk:
            disk.full = True
            await receive(bot, entry("1"))
            disk.full = False
            await receive(bot, entry("2"))
            await eventually(lambda: ready(bot))
        assert [row["svrid"] for row in await messages(bot)] == ["1", "2"]


@rule
async def test_what_waits_for_the_disk_is_bounded_and_the_rest_is_counted_as_lost() -> None:
    async with make_bot() as bot:
        with hurried(bot, most_late=len(callback(entry("1")))) as disk:
            disk.full = True
            for svrid in "123":
                assert await bot.push(callback(entry(svrid))) == 200
            disk.full = False
            await eventually(lambda: ready(bot))
        await receive(bot, entry("4"))
        assert [row["svrid"] for row in await messages(bot)] == ["1", "4"]
        counted = await bot.store.counters()
        assert (counted["acked_before_durable_total"], counted["lost_total"]) == (1, 2)


@pytest.mark.parametrize("back", [True, False])
@rule
async def test_at_the_end_what_waits_for_the_disk_is_tried_once_more(back: bool) -> None:
    async with make_bot() as bot:
        with hurried(bot) as disk, structlog.testing.capture_logs() as logged:
            disk.full = True
            await receive(bot, entry())
            disk.full = not back
            await bot.receiver.finish(1)
        assert len(await bot.store.messages()) == back
        assert ("callback_lost" in [line["event"] for line in logged]) == (not back)


@rule
async def test_at_the_end_nobody_waits_for_ever() -> None:
    async with make_bot() as bot:
        with hurried(bot) as disk, structlog.testing.capture_logs() as logged:
            disk.free.clear()
            await receive(bot, entry())
            await bot.receiver.finish(0.01)
        assert "callback_lost" in [line["event"] for line in logged]


@rule
async def test_what_the_database_did_not_take_before_the_end_is_taken_in_by_the_next_receiver() -> None:
    async with make_bot() as bot:
        Stubborn(bot).full = True
        await asgi_call(bot.door, "POST", PATH, body=callback(entry()))
        await bot.receiver.finish(0.01)
        assert await bot.store.messages() == []
        await bot.restart()
        assert [row["svrid"] for row in await messages(bot)] == ["1"]


@rule
async def test_what_an_earlier_receiver_left_goes_before_what_comes_now() -> None:
    async with make_bot() as bot:
        await asgi_call(bot.door, "POST", PATH, body=callback(entry("1"), entry("2")))
        await bot.restart()
        await receive(bot, entry("3"))
        assert [row["svrid"] for row in await messages(bot)] == ["1", "2", "3"]


@rule
async def test_how_far_a_journal_was_read_is_looked_up_once_nobody_reads_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with make_bot() as bot:
        store = Stubborn(bot)
        store.full = True
        await asgi_call(bot.door, "POST", PATH, body=b"not base64!")
        elder, younger = bot.receiver, build_receiver(bot.config, bot.store, bot.clock, spooling=False)
        marks = bot.store.marks

        async def slowly() -> dict[str, Mark]:
            found = await marks()
            await end_elder()
            return found

        async def end_elder() -> None:
            store.full = False
            await elder.taken_in()
            elder.abandon()

        monkeypatch.setattr(bot.store, "marks", slowly)
        await younger.taken_in()
        monkeypatch.setattr(bot.store, "marks", marks)
        await end_elder()
        younger._intake._looked_at = None
        await younger.taken_in()
        assert len(await bot.store.damaged(9)) == 1
        await younger.finish(1)


@rule
async def test_what_was_left_beside_a_database_that_was_replaced_is_not_acted_on_again() -> None:
    async with make_bot() as bot:
        Stubborn(bot).full = True
        await asgi_call(bot.door, "POST", PATH, body=callback(entry()))
        await bot.store.set_meta("origin", "another")
        await bot.restart()
        assert await messages(bot) == []


@rule
async def test_an_unforeseen_error_costs_one_callback_and_is_no_reason_to_refuse_it() -> None:
    async with make_bot() as bot:
        store: Any = bot.store
        ingest_journal = store.ingest_journal

        async def broken(callbacks: Any, mark: Any) -> None:
            if any(each.svrid == "2" for callback in callbacks for each in callback.entries):
                raise RuntimeError("nobody thought of this")
            await ingest_journal(callbacks, mark)

        store.ingest_journal = broken
        posts = [asgi_call(bot.door, "POST", PATH, body=callback(entry(svrid))) for svrid in "123"]
        assert await asyncio.gather(*posts) == [(200, b'{"errcode":0}')] * 3
        assert [row["svrid"] for row in await messages(bot)] == ["1", "3"]
        assert await damaged(bot) == ["internal"]


@rule
async def test_a_journal_that_cannot_be_read_for_a_moment_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with make_bot(configured=True) as bot:
        read, refusals = Journal.read, [OSError(errno.EIO, "input/output error")]

        def refuse(journal: Journal, end: int | None = None) -> list[Record]:
            if refusals:
                raise refusals.pop()
            return read(journal, end)

        monkeypatch.setattr(Journal, "read", refuse)
        await asyncio.gather(*(receive(bot, entry(str(number))) for number in range(5)))
        assert len(await messages(bot)) == 5
        assert "lost_total" not in await bot.store.counters()
