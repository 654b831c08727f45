"""A store that refuses in the middle of a swap costs no version: all is undone, and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from bots import EAST, entry, make_bot, receive, rule, said
from routing.test_swap import version, write
from structlog.testing import capture_logs

from relay.config import Files, load
from relay.errors import StorageError
from relay.roles import offers
from relay.routing.handover import Handover
from relay.routing.loader import Loaded
from relay.routing.swap import Offer
from relay.routing.uptake import WAITS, Uptake
from relay.supervisor.check import files_now
from relay.testing import SECRETS, Bot

STARTS = """
import asyncio

async def poll():
    await asyncio.sleep(3600)

@plugin.on_start
async def start(ctx):
    asyncio.create_task(poll(), name="poll of " + ctx.plugin)
    await ctx.state.increment("starts")

@plugin.on_stop
async def stop(ctx):
    await ctx.state.increment("stops")
"""


def starting(word: str, name: str) -> str:
    """A version that begins something, and remembers its start and its stop."""
    return version(word).replace('"greeter"', f'"{name}"') + STARTS.replace("ctx.plugin", f'"{name}"')


class Refusing:
    """Keeps what plugins remember, but for these calls, counted from the first."""

    def __init__(self, bot: Bot, *refused: int) -> None:
        self._remember: Callable[[Any], Awaitable[None]] = bot.store.occasions.remember
        self._refused = refused
        self.calls = 0

    async def __call__(self, changes: Any) -> None:
        self.calls += 1
        if self.calls in self._refused:
            raise StorageError("the disk is full")
        await self._remember(changes)


def uptake(bot: Bot) -> Uptake:
    async def take(files: Files) -> None:
        await bot._swap.take(offers(load(bot.config.path, SECRETS, files)))

    return Uptake(Handover(bot.config.database), take, bot.clock)


def offered(bot: Bot) -> Handover:
    """What is on disk is offered to the router that runs."""
    handover = Handover(bot.config.database)
    handover.offer(files_now(bot.config.path, bot.config.plugins.folder))
    return handover


def polls() -> list[str]:
    return [each.get_name() for each in asyncio.all_tasks() if each.get_name().startswith("poll")]


@rule
async def test_what_the_store_refused_is_undone_and_taken_once_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, version("one"))
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await bot.work()
        before, taking = bot.router.pipeline.plugins, uptake(bot)
        write(tmp_path, starting("two", "greeter"))
        write(tmp_path, starting("more", "more"), "more.py")
        offered(bot)
        # the start of greeter is kept; that of `more` is not, nor is its second
        monkeypatch.setattr(bot.store.occasions, "remember", Refusing(bot, 2, 5))
        await taking.step()
        assert bot.router.pipeline.plugins == before
        assert await bot.store.state("greeter", "stops") == ("1", None)
        assert polls() == []
        with capture_logs() as logs:
            await taking.step()  # its time has not come
            assert logs == []
            for wait in WAITS[:2]:
                bot.clock.jump(wait / 1000)
                await taking.step()
        assert [each["event"] for each in logs].count("swap_put_off") == 1
        assert sorted(polls()) == ["poll of greeter", "poll of more"]
        assert await bot.store.state("greeter", "starts") == ("3", None)
        await receive(bot, entry("1"))
        await bot.work()
        assert {"two", "more"} <= set(said(bot, EAST))


@rule
async def test_what_goes_wrong_for_another_reason_ends_what_was_started_too(tmp_path: Path) -> None:
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await bot.work()
        write(tmp_path, starting("one", "greeter"))
        good = offers(load(bot.config.path, SECRETS))

        def broken() -> Loaded:
            raise MemoryError

        with pytest.raises(MemoryError):
            await bot._swap.take([*good, Offer("broken", "1", broken)])
        assert polls() == []


@rule
async def test_newer_files_do_not_wait_for_those_that_were_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_bot(folder=tmp_path, configured=True) as bot:
        await bot.work()
        taking = uptake(bot)
        write(tmp_path, starting("one", "greeter"))
        offered(bot)
        monkeypatch.setattr(bot.store.occasions, "remember", Refusing(bot, 1))
        await taking.step()
        write(tmp_path, starting("two", "greeter"))
        offered(bot)
        await taking.step()
        bot.clock.jump(60)
        await taking.step()
        await receive(bot, entry("1"))
        await bot.work()
        assert said(bot, EAST) == ["two"]
        assert await bot.store.state("greeter", "starts") == ("1", None)
