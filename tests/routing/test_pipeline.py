"""Every plugin has its say, and none can spoil another's (contract 4.7 and 5)."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bots import ANN, EAST, NORTH, ONE, WEST, rule

from relay import Forward, Message, Outgoing, Plugin, Reply, Send, Stop, picture
from relay.authoring.names import Names
from relay.authoring.plugin import NoSettings
from relay.authoring.state import StateBook
from relay.authoring.trace import LENGTH
from relay.clock import Clock
from relay.routing.blackbox import BlackBox
from relay.routing.calls import MOST_LEFT, Calls
from relay.routing.loader import Loaded
from relay.routing.pipeline import Memory, Pipeline
from relay.simulator.clockwork import START, ManualClock
from relay.store.protocol import Store
from relay.store.values import Routing

ZONE = dt.timezone(dt.timedelta(hours=8))
NAMES = {"west": (WEST,), "both": (WEST, NORTH)}
MESSAGE = Message(
    "m1", "1", ONE, EAST, "room", ANN, "text", dt.datetime(2026, 1, 5, 9, tzinfo=ZONE), b'{"content":"hi"}'
)


def resolve(name: str) -> tuple[str, ...]:
    if name in NAMES or name.startswith("R:"):
        return NAMES.get(name, (name,))
    raise ValueError(name)


class Nothing:
    """A store that nothing was ever put into."""

    async def state(self, plugin: str, key: str) -> None:
        return None

    async def names(self, wxids: Sequence[str]) -> dict[str, str]:
        return {}


def loaded(name: str, *handlers: Callable[..., Any], timeout: int = 60_000) -> Loaded:
    plugin = Plugin(name)
    for handler in handlers:
        plugin.on_message()(handler)
    return Loaded(name, plugin, NoSettings(), timeout, "folder", Path(f"{name}.py"))


def pipeline(*plugins: Loaded, clock: Clock | None = None, box: BlackBox | None = None) -> Pipeline:
    clock = clock or ManualClock()
    store = cast(Store, Nothing())
    memory = Memory(StateBook(store, clock), Names(store, clock, {}))
    return Pipeline(plugins, clock, ZONE, resolve, memory, Calls(box))


async def run(*plugins: Loaded) -> Routing:
    return await pipeline(*plugins).run(1, MESSAGE)


def decide(*decisions: Any) -> Callable[..., Any]:
    """A handler that decides just that."""

    async def handler(message: Message, ctx: Any) -> Any:
        return list(decisions)

    return handler


GOOD = loaded("good", decide(Reply("good")))


def targets(routing: Routing) -> list[tuple[str, str]]:
    return [(each.plugin, each.target) for each in routing.deliveries]


def errors(routing: Routing) -> list[str]:
    return [line.reason for line in routing.trace if line.decision == "error"]


# -- what plugins do wrong -----------------------------------------------------


async def raises(message: Message, ctx: Any) -> None:
    raise KeyError(message.text)


async def times_itself_out(message: Message, ctx: Any) -> None:
    raise TimeoutError


async def cancels_itself(message: Message, ctx: Any) -> None:
    raise asyncio.CancelledError


async def ends_the_process(message: Message, ctx: Any) -> None:
    raise SystemExit(1)


async def interrupts(message: Message, ctx: Any) -> None:
    raise KeyboardInterrupt


async def leaves_the_tree_of_errors(message: Message, ctx: Any) -> None:
    raise BaseException("x")  # noqa: TRY002, RUF100 - what a plugin should not do either


async def closes_itself(message: Message, ctx: Any) -> None:
    raise GeneratorExit


def raises_in_a_thread(message: Message, ctx: Any) -> None:
    raise StopIteration


def ends_its_thread(message: Message, ctx: Any) -> None:
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (raises, "raises: KeyError at test_pipeline.py:"),
        (times_itself_out, "times_itself_out: TimeoutError at test_pipeline.py:"),
        (cancels_itself, "cancels_itself: RuntimeError"),
        (ends_the_process, "ends_the_process: RuntimeError"),
        (interrupts, "interrupts: RuntimeError"),
        (leaves_the_tree_of_errors, "leaves_the_tree_of_errors: BaseException at test_pipeline.py:"),
        (closes_itself, "closes_itself: GeneratorExit at test_pipeline.py:"),
        (raises_in_a_thread, "raises_in_a_thread: RuntimeError"),
        (ends_its_thread, "ends_its_thread: RuntimeError"),
    ],
)
@rule
async def test_a_handler_that_raises_is_noted_and_the_others_go_on(
    handler: Callable[..., Any], reason: str
) -> None:
    routing = await run(loaded("bad", handler), GOOD)
    assert targets(routing) == [("good", EAST)]
    assert [error[: len(reason)] for error in errors(routing)] == [reason]


@pytest.mark.parametrize(
    "nonsense",
    [
        "a text",
        7,
        [Reply("x"), "a text"],
        {"reply": "x"},
        Reply(Outgoing("text", {"when": dt.datetime(2026, 1, 5, 9, tzinfo=ZONE)})),
        Reply(Outgoing("text", {"nan": float("nan")})),
        Reply(picture(b"bytes")),  # type: ignore[arg-type] # wrong on purpose
        Send(EAST, "x", account=7),  # type: ignore[arg-type] # wrong on purpose
        Send(EAST, "x", account="\ud800"),
        Forward(WEST, rule=None),  # type: ignore[arg-type] # wrong on purpose
        Stop(rule="\ud800"),
    ],
    ids=repr,
)
@rule
async def test_nonsense_is_noted_and_nothing_of_it_counts(nonsense: Any) -> None:
    async def handler(message: Message, ctx: Any) -> Any:
        return nonsense if isinstance(nonsense, list | str | int | dict) else [Forward(WEST), nonsense]

    routing = await run(loaded("bad", handler), loaded("good", decide(Forward(WEST))))
    assert targets(routing) == [("good", WEST)]
    assert len(errors(routing)) == 1


@rule
async def test_what_a_customer_wrote_stands_in_no_error() -> None:
    routing = await run(loaded("bad", raises))
    assert "hi" not in errors(routing)[0].split()


@rule
async def test_a_handler_that_takes_too_long_is_left_behind() -> None:
    async def sleeps(message: Message, ctx: Any) -> Any:
        await asyncio.Event().wait()

    routing = await run(loaded("slow", sleeps, timeout=10), GOOD)
    assert errors(routing) == ["sleeps took longer than 10 ms"]
    assert targets(routing) == [("good", EAST)]


@rule
async def test_a_handler_that_will_not_be_stopped_is_left_behind_as_well() -> None:
    async def stubborn(message: Message, ctx: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    routing = await asyncio.wait_for(run(loaded("slow", stubborn, timeout=10), GOOD), 10)
    assert errors(routing) == ["stubborn took longer than 10 ms"]


@rule
async def test_a_plain_handler_that_blocks_its_thread_holds_up_nobody() -> None:
    release = threading.Event()

    def blocks(message: Message, ctx: Any) -> Any:
        release.wait(60)

    routing = await run(loaded("slow", blocks, timeout=10), GOOD)
    release.set()
    assert errors(routing) == ["blocks took longer than 10 ms"]
    assert targets(routing) == [("good", EAST)]


@rule
async def test_a_plugin_whose_calls_never_end_is_called_no_more_until_they_do() -> None:
    release = threading.Event()

    def blocks(message: Message, ctx: Any) -> Any:
        release.wait(60)

    blocked = pipeline(loaded("slow", blocks, timeout=1))
    await asyncio.gather(*(blocked.run(1, MESSAGE) for _ in range(MOST_LEFT)))
    routing = await blocked.run(1, MESSAGE)
    assert errors(routing) == [f"blocks was not called: {MOST_LEFT} earlier calls still run"]
    release.set()
    left = blocked.calls._plugins.popitem()[1].left
    await asyncio.wait(left)
    assert not left


# -- what plugins decide -------------------------------------------------------


@rule
async def test_a_plain_handler_runs_in_a_thread_and_decides_as_well() -> None:
    names = []

    def plain(message: Message, ctx: Any) -> Any:
        names.append(threading.current_thread().name)
        return Reply("x")

    assert targets(await run(loaded("plain", plain))) == [("plain", EAST)]
    assert names == ["relay-handler"]


@rule
async def test_one_decision_is_as_good_as_a_list_and_none_is_noted() -> None:
    async def one(message: Message, ctx: Any) -> Any:
        return Reply("x")

    async def none(message: Message, ctx: Any) -> None:
        return None

    routing = await run(loaded("one", one), loaded("none", none))
    assert targets(routing) == [("one", EAST)]
    assert routing.trace[-1].reason == "none decided nothing"


@rule
async def test_a_message_is_forwarded_to_a_chat_once_whoever_asks() -> None:
    first = loaded("first", decide(Forward(["west", WEST], rule="a"), Forward("both", rule="b")))
    routing = await run(first, loaded("second", decide(Forward([WEST, NORTH, EAST]))))
    assert targets(routing) == [("first", WEST), ("first", NORTH)]
    assert f"{WEST} gets it by first a already" in [line.reason for line in routing.trace]


@rule
async def test_stop_keeps_the_message_from_later_handlers_and_plugins_but_not_what_was_decided() -> None:
    stops = loaded("first", decide(Reply("x"), Stop(), Forward(WEST)), decide(Reply("y")))
    routing = await run(stops, GOOD)
    assert targets(routing) == [("first", EAST), ("first", WEST)]


@rule
async def test_an_unknown_chat_is_noted_and_the_known_ones_get_it() -> None:
    routing = await run(loaded("first", decide(Forward(["nowhere", "west"]))))
    assert (targets(routing), errors(routing)) == ([("first", WEST)], ["nowhere is not in [chats]"])


@rule
async def test_a_delivery_waits_as_long_as_the_decision_says() -> None:
    at = dt.datetime.fromtimestamp(START / 1000, ZONE)
    decisions = [
        Reply("x", delay=1.5),
        Reply("x", delay=dt.timedelta(minutes=1)),
        Reply("x", at=at + dt.timedelta(seconds=2)),
        Reply("x", at=at - dt.timedelta(days=1)),
    ]
    routing = await run(loaded("first", decide(*decisions)))
    assert [each.delay for each in routing.deliveries] == [1500, 60_000, 2000, 0]


@rule
async def test_deliveries_of_one_rule_are_numbered() -> None:
    routing = await run(
        loaded("first", decide(Reply("a", "b", rule="r"), Send(WEST, "c", rule="r"), Reply("d")))
    )
    numbered = [(each.rule, each.ordinal, each.target) for each in routing.deliveries]
    assert numbered == [("r", 0, EAST), ("r", 1, EAST), ("r", 2, WEST), ("", 0, EAST)]


@rule
async def test_a_note_with_half_a_character_can_be_stored() -> None:
    async def notes(message: Message, ctx: Any) -> None:
        ctx.note("\ud83d", "\ud800")

    line = (await run(loaded("first", notes))).trace[0]
    assert (line.rule, line.reason) == ("\ufffd", "\ufffd")


@rule
async def test_a_note_of_whatever_kind_can_be_stored() -> None:
    async def notes(message: Message, ctx: Any) -> None:
        ctx.note(7, {"ten": "yuan"})
        ctx.trace.note("\ud83d", "", ["no"], "x" * 9999)

    first, second = (await run(loaded("first", notes))).trace
    assert (first.rule, first.reason) == ("7", "{'ten': 'yuan'}")
    assert (second.plugin, second.decision, second.reason) == ("\ufffd", "['no']", "x" * LENGTH)


@rule
async def test_a_handler_that_fails_halfway_leaves_no_notes_of_decisions() -> None:
    routing = await run(loaded("bad", decide(Forward(WEST, rule="a"), "nonsense")))
    assert [line.decision for line in routing.trace] == ["error"]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_handler_may_ask_for_own_messages_by_its_settings(wanted: bool) -> None:
    plugin = Plugin("p")
    plugin.on_message(include_own=lambda settings: bool(settings.rules))(lambda message, ctx: None)
    settings = cast(Any, SimpleNamespace(rules=["r"] if wanted else []))
    assert pipeline(Loaded("p", plugin, settings, 1, "folder", Path("p.py"))).includes_own is wanted


@rule
async def test_what_a_handler_held_is_free_once_it_has_failed() -> None:
    class Large:
        """Stands for more memory than there is."""

    held: list[weakref.ref[Large]] = []

    def fails(message: Message, ctx: Any) -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise MemoryError

    gc.disable()
    try:
        assert len(errors(await run(loaded("fails", fails)))) == 1
        assert held[0]() is None
    finally:
        gc.enable()
