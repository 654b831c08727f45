"""What plugins remember: seen at once, stored with the decisions, neither lost nor doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, WEST, entry, make_bot, receive, rule, said

from relay.authoring.state import LATEST, State, StateBook, StatePage
from relay.store.states import MessageState
from relay.store.values import Routing

PLUGIN = """
import asyncio
from relay import Context, Message, Plugin, Reply

plugin = Plugin("counter")
gate = asyncio.Event()

@plugin.on_message()
async def count(message: Message, ctx: Context) -> Reply:
    number = await ctx.state.increment("said", ttl="1h" if "hour" in message.text else None)
    if "fail" in message.text:
        raise ValueError
    if "remember" in message.text:
        await ctx.state.set("word", message.text, ttl="10m")
    if "forget" in message.text:
        await ctx.state.delete("word")
    return Reply(f"{number} {await ctx.state.get('word', 'nothing')}")
"""


def counting(folder: Path) -> str:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "counter.py").write_text(PLUGIN)
    return '[plugins]\norder = ["counter"]\n'


@rule
async def test_a_number_survives_a_restart(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "one")
        await bot.work()
        await bot.restart()
        bot.simulator.say(EAST, ANN, "two")
        await bot.work()
        assert said(bot, EAST) == ["one", "1 nothing", "two", "2 nothing"]


@rule
async def test_what_a_failed_handler_changed_was_never_so(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for chat, sender, text in ((EAST, ANN, "one"), (WEST, BEN, "fail"), (EAST, ANN, "two")):
            bot.simulator.say(chat, sender, text)
        await bot.work()
        assert said(bot, EAST)[-2:] == ["1 nothing", "2 nothing"]


@rule
async def test_conversations_side_by_side_lose_no_count(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for number in range(40):
            bot.simulator.say((EAST, WEST)[number % 2], ANN, "x")
        await bot.work()
        assert await bot.store.state("counter", "said") == ("40", None)


@rule
async def test_a_value_ends_with_its_time(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "remember")
        await bot.work()
        await bot.pass_time(599)
        bot.simulator.say(EAST, ANN, "still?")
        await bot.work()
        await bot.pass_time(2)
        bot.simulator.say(EAST, ANN, "and now?")
        await bot.work()
        assert said(bot, EAST)[1::2] == ["1 remember", "2 remember", "3 nothing"]


@rule
async def test_a_number_whose_time_is_over_begins_anew(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for text in ("hour", "hour"):
            bot.simulator.say(EAST, ANN, text)
        await bot.work()
        await bot.pass_time(3601)
        bot.simulator.say(EAST, ANN, "again")
        await bot.work()
        assert said(bot, EAST)[-1] == "1 nothing"


@rule
async def test_a_forgotten_value_is_gone(tmp_path: Path) -> None:
    async with make_bot(counting(tmp_path), folder=tmp_path, configured=True) as bot:
        for text in ("remember", "forget"):
            bot.simulator.say(EAST, ANN, text)
            await bot.work()
        assert said(bot, EAST)[-1] == "2 nothing"
        assert await bot.store.state("counter", "word") is None


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[StatePage, State, StateBook]]:
    async with make_bot() as bot:
        book = StateBook(bot.store, bot.clock)
        page = book.open()
        yield page, page.of("p"), book
        await receive(bot, entry())
        [message], _ = await bot.store.identify(1, 10**12)
        routing = Routing(message.id, MessageState.ROUTED, None, (), (), page.close())
        assert await bot.store.finish(routing, 1000)  # whatever was taken can be stored


HALF = "\ud83d"  # of a character: no UTF-8 can hold it


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda state: state.set("k", float("nan")), ValueError),
        (lambda state: state.set("k", [float("inf")]), ValueError),
        (lambda state: state.set("k", HALF), ValueError),
        (lambda state: state.set("k", {HALF: 1}), ValueError),
        (lambda state: state.set("k", object()), TypeError),
        (lambda state: state.set("k", 1, ttl=float("nan")), ValueError),
        (lambda state: state.set("k", 1, ttl=float("inf")), ValueError),
        (lambda state: state.set("k", 1, ttl="soon"), ValueError),
        (lambda state: state.set("k", 1, ttl=[1]), TypeError),
        (lambda state: state.set(HALF, 1), ValueError),
        (lambda state: state.set(7, 1), TypeError),
        (lambda state: state.get(HALF), ValueError),
        (lambda state: state.get(("k",)), TypeError),
        (lambda state: state.delete(HALF), ValueError),
        (lambda state: state.delete(None), TypeError),
        (lambda state: state.increment(HALF), ValueError),
        (lambda state: state.increment(7), TypeError),
        (lambda state: state.increment("k", 2**63), ValueError),
        (lambda state: state.increment("k", 0.5), TypeError),
        (lambda state: state.increment("k", "1"), TypeError),
        (lambda state: state.increment("k", ttl=float("nan")), ValueError),
    ],
)
@rule
async def test_what_cannot_be_stored_is_refused_where_it_is_said(call: Any, error: type[Exception]) -> None:
    async with opened() as (_, state, _):
        with pytest.raises(error):
            await call(state)


@rule
async def test_a_number_ends_where_64_bits_end() -> None:
    async with opened() as (_, state, _):
        assert await state.increment("k", 2**63 - 1) == 2**63 - 1
        with pytest.raises(ValueError, match="64 bits"):
            await state.increment("k")
        assert await state.get("k") == 2**63 - 1


@rule
async def test_no_time_ends_after_the_calendar() -> None:
    async with opened() as (page, state, _):
        await state.set("k", 1, ttl=1e300)
        await state.set("k", 1, ttl="3650d")
        assert await state.get("k") == 1
        assert page.close()[0].expires_at == LATEST
