"""Calls that do not end take neither everybody's turn nor the process for good (contract 4.5 and 4.7)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from bots import EAST, entry, eventually, make_bot, messages, receive, rule
from routing.gates import SETTINGS, Gates
from routing.test_pipeline import GOOD, MESSAGE, errors, loaded, pipeline, targets

from relay import Forward, Message, Reply
from relay.authoring.decisions import MOST
from relay.authoring.trace import MOST_LINES
from relay.routing import calls
from relay.routing.blackbox import SLOT, SLOTS, BlackBox, Ending
from relay.routing.calls import MOST_LEFT, MOST_SLOW, ExhaustedError
from relay.routing.outbox import MOST_DELIVERIES
from relay.routing.pipeline import Pipeline
from relay.routing.router import Router

WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody's")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def blocking(release: threading.Event) -> Any:
    def blocks(message: Message, ctx: Any) -> None:
        release.wait(60)

    return blocks


@pytest.mark.parametrize("is_async", [True, False])
@rule
async def test_a_plugin_whose_calls_all_take_long_is_called_for_only_so_many_at_once(
    is_async: bool, release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[None] = []

    async def waits(message: Message, ctx: Any) -> None:
        begun.append(None)
        await asyncio.Event().wait()

    def blocks(message: Message, ctx: Any) -> None:
        begun.append(None)
        release.wait(60)

    async def all_run() -> bool:
        return len(begun) == len(running)

    monkeypatch.setattr(calls, "SLOW", 0.0)
    slow = pipeline(loaded("slow", waits if is_async else blocks), GOOD)
    running = [asyncio.create_task(slow.run(1, MESSAGE)) for _ in range(MOST_SLOW[is_async])]
    await eventually(all_run)
    routing = await slow.run(1, MESSAGE)
    assert errors(routing)[0].endswith(f"was not called: {MOST_SLOW[is_async]} others take long")
    assert len(targets(routing)) == 1
    for each in running:
        each.cancel()
    await asyncio.wait(running)


@rule
async def test_calls_that_never_end_ask_for_a_new_process(
    release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = pipeline(loaded("slow", blocking(release), timeout=1))
    await asyncio.gather(*(stuck.run(1, MESSAGE) for _ in range(MOST_LEFT)))
    assert len(errors(await stuck.run(1, MESSAGE))) == 1
    monkeypatch.setattr(calls, "STUCK", 0.0)
    with pytest.raises(ExhaustedError):
        await stuck.run(1, MESSAGE)


@rule
async def test_a_plain_function_that_is_late_and_busy_is_interrupted() -> None:
    def spins(message: Message, ctx: Any) -> None:
        while True:
            with contextlib.suppress(Exception):
                threading.current_thread()

    spinning = pipeline(loaded("busy", spins, timeout=20), GOOD)
    assert errors(await spinning.run(1, MESSAGE)) == ["spins took longer than 20 ms"]

    async def ended() -> bool:
        return not any(running.left for running in spinning.calls._plugins.values())

    await eventually(ended)


@rule
async def test_a_handler_is_one_task_from_its_first_step_on() -> None:
    tasks = []

    async def looks(message: Message, ctx: Any) -> None:
        tasks.append(asyncio.current_task())
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    around = asyncio.current_task()
    assert errors(await pipeline(loaded("looks", looks)).run(1, MESSAGE)) == []
    assert tasks[0] is tasks[1] is not around
    assert asyncio.current_task() is around


@rule
async def test_what_a_handler_sets_for_its_context_stays_there() -> None:
    seen: list[str] = []

    async def sets(message: Message, ctx: Any) -> None:
        seen.append(WHOSE.get())
        WHOSE.set("its own")
        await asyncio.sleep(0)
        seen.append(WHOSE.get())

    setting = pipeline(loaded("sets", sets))
    await setting.run(1, MESSAGE)
    await setting.run(2, MESSAGE)
    assert seen == ["nobody's", "its own"] * 2
    assert WHOSE.get() == "nobody's"


@rule
async def test_a_task_that_a_handler_makes_is_on_record_as_its_own() -> None:
    shared = bytearray(SLOTS * SLOT.size)
    found: list[Ending] = []

    async def stray() -> None:
        found.append(BlackBox(bytearray(shared)).ending)

    async def spawns(message: Message, ctx: Any) -> None:
        await asyncio.create_task(stray())

    recorded = pipeline(loaded("spawns", spawns), box=BlackBox(shared))
    recorded.calls.box.take([1, 2])
    await recorded.run(1, MESSAGE)
    assert found == [Ending(frozenset({1, 2}), ((1, "spawns.spawns"),))]


@rule
async def test_a_thread_that_cannot_be_started_is_no_fault_of_the_plugin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ExhaustedError):
        await pipeline(loaded("plain", lambda message, ctx: None)).run(1, MESSAGE)


@rule
async def test_more_decisions_than_anybody_could_mean_are_an_error() -> None:
    async def many(message: Message, ctx: Any) -> list[Reply]:
        return [Reply("x")] * (MOST + 1)

    (error,) = errors(await pipeline(loaded("many", many)).run(1, MESSAGE))
    assert error.startswith("many: 1001 decisions are too many: one handler may have 1000 at once")


@pytest.mark.parametrize(
    "decision",
    [Forward([f"R:{number}" for number in range(MOST_DELIVERIES + 1)]), Reply("x" * 2**24)],
    ids=["many", "long"],
)
@rule
async def test_more_than_the_disk_should_be_kept_busy_with_is_an_error(decision: Forward | Reply) -> None:
    async def much(message: Message, ctx: Any) -> Forward | Reply:
        return decision

    routing = await pipeline(loaded("much", much), GOOD).run(1, MESSAGE)
    told = "much: more than is stored for one message, 10000 deliveries of 1 KB, and none counts"
    assert [error.partition(" at ")[0] for error in errors(routing)] == [told]
    assert targets(routing) == [("good", EAST)]


@rule
async def test_what_a_plugin_notes_is_bounded() -> None:
    async def talks(message: Message, ctx: Any) -> None:
        for _ in range(MOST_LINES + 10):
            ctx.note("r", "on and on")

    assert len((await pipeline(loaded("talks", talks)).run(1, MESSAGE)).trace) == MOST_LINES


class Exhausted(Gates):
    """A pipeline whose process can run no handlers any more."""

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Any:
        if message.text == "last straw":
            raise ExhaustedError("no thread can be started")
        return await super().run(number, message, dry_run=dry_run)


@rule
async def test_an_exhausted_router_ends_in_good_order_and_nobody_is_to_blame() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1", "slow"), entry("2", "last straw", chat_wxid="R:2"))
        exhausted = Router(bot.store, cast(Pipeline, Exhausted("slow")), bot.clock, SETTINGS)
        running = asyncio.create_task(exhausted.run(asyncio.Event()))

        async def ended() -> bool:
            await bot.clock.advance(1)
            return running.done()

        await eventually(ended)
        assert isinstance(running.exception(), ExhaustedError)
        assert [row["state"] for row in await messages(bot)] == ["waiting", "waiting"]
        assert [each.attempts for each in await bot.store.waiting()] == [0, 0]
