"""A decision that cannot be is told in the trace, in words that help; nothing of that handler counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from bots import ANN, EAST, ONE, WEST, deliveries, make_bot, rule, said

from relay import Forward, Message, Reply, Send, Stop, text
from relay.authoring.decisions import DecisionError, decisions_of
from relay.authoring.names import Names
from relay.authoring.plugin import NoSettings
from relay.authoring.state import StateBook
from relay.config import Chats
from relay.routing.loader import Found, Loaded, load
from relay.routing.pipeline import Memory, Pipeline
from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Store
from relay.store.values import Routing
from relay.testing import Bot

HEAD = """
import datetime as dt
from relay import *

plugin = Plugin("p")

@plugin.on_message
async def decide(message, ctx):
"""
TAIL = """

@plugin.on_message
async def other(message, ctx):
    return Send("west", "the other handler")
"""


def written(folder: Path, body: str) -> Found:
    (folder / "plugins").mkdir()
    path = folder / "plugins" / "p.py"
    path.write_text(f"{HEAD}    {body}\n{TAIL}", "utf-8")
    return Found("p", path, "folder")


def bot(folder: Path, body: str) -> Bot:
    written(folder, body)
    return make_bot(f'[chats]\nwest = "{WEST}"\n', folder=folder, configured=True)


class Nothing:
    """A store that nothing was ever put into."""

    async def names(self, wxids: Sequence[str]) -> dict[str, str]:
        return {}


MESSAGE = Message(
    "m1",
    "1",
    ONE,
    EAST,
    "room",
    ANN,
    "text",
    dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC),
    b'{"content":{"items":[{"type":"text","text":"my secret"}]}}',
)


async def routed(found: Found) -> Routing:
    """What comes of a message with this plugin."""
    clock, store = ManualClock(), cast(Store, Nothing())
    memory = Memory(StateBook(store, clock), Names(store, clock, {}))
    loaded = Loaded("p", load(found), NoSettings(), 60_000, "folder", found.path)
    chats = Chats({"west": (WEST,)})
    return await Pipeline([loaded], clock, dt.UTC, chats.resolve, memory).run(1, MESSAGE)


async def say(bot: Bot) -> None:
    bot.simulator.say(EAST, ANN, "hi")
    await bot.work()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("return 'hi'", "error: decide: str is no decision: write Reply(…) around it at p.py:7"),
        (
            "return 7",
            "error: decide: int is no decision: return None, a decision or a list of them at p.py:7",
        ),
        ("return Stop", "error: decide: Stop is no decision: write Stop(…) at p.py:7"),
        ("return [[Stop()]]", "error: decide: list is no decision: return them as one flat list at p.py:7"),
        ("return (Stop() for _ in range(3))", "error: decide: generator is no decision: return them"),
        ("return other(message, ctx)", "error: decide: a coroutine is no decision: an await is missing"),
        (
            "return Reply()",
            "error: decide: there is nothing to say: Reply and Send need at least one message",
        ),
        (
            "return Reply(None)",
            "error: decide: a message is a text or made by text(), picture()…, not None at",
        ),
        ("return Reply(['a'])", "not list: write Reply(*messages) at p.py:9"),
        ("return [Reply('x')] * 10_000", "error: decide: 10000 decisions are too many: one handler may have"),
        ("return Forward([])", "no: it names no chat to forward to"),
        ("return Forward(message.chat)", "no: no other chat to forward to"),
        ("return Forward(None)", "error: decide: Forward takes chats, by names or ids, not None at p.py:9"),
        ("return Forward(['west', 7])", "error: decide: Forward takes chats, by names or ids, not int"),
        ("return Forward('wset')", "error: wset is not in [chats] (did you mean `west`?)"),
        ("return Send('nowhere', 'x')", "error: nowhere is not in [chats] ("),
        ("return Send(['west'], 'x')", "error: decide: Send takes one chat, by its name or id, not list"),
        ("return Reply('x', at=dt.datetime(2026, 1, 1))", "at= needs a time zone: build it from ctx.now"),
        ("return Reply('x', at='09:00')", "error: decide: at= is a datetime, not str at p.py:9"),
        ("return Reply('x', at=ctx.now.replace(year=9000))", "at= is too far away: 3650 days are the most"),
        ("return Reply('x', delay='soon')", "error: decide: delay: is not a duration (write "),
        ("return Reply('x', delay=-1)", "error: decide: delay= is a time to wait, and cannot be negative"),
        ("return Reply('x', delay=1e300)", "error: decide: delay= is too long"),
        (
            "return Reply('x', delay=dt.timedelta(4000))",
            "error: decide: delay= is too long: 3650 days are the most",
        ),
        (
            "return Reply('x', then=other, within=dt.timedelta(4000))",
            "within= is too long: 3650 days are the most",
        ),
        ("return Reply('x', delay=None)", "error: decide: delay is no length of time, but NoneType"),
        ("return Reply('x', delayed_time=1_800_000_000_000)", "delayed_time= is a time in unix seconds, and"),
        ("return Reply('x', delayed_time='9')", "delayed_time= is a time in unix seconds, not str"),
        ("return Reply('x', delay=1, delayed_time=2)", "each say when: give one of them"),
        ("return Reply('x', on_timeout=other)", "on_timeout= goes with then="),
        ("return Reply('x', then=other, within=0)", "within= must be more than 0"),
        ("return Reply('x', rule=7)", "error: decide: a decision names things by strings, not by int"),
    ],
)
@rule
async def test_what_is_wrong_with_it_stands_in_the_trace(tmp_path: Path, body: str, line: str) -> None:
    routing = await routed(written(tmp_path, body))
    first, other = routing.trace
    assert line in f"{first.decision}: {first.reason}"
    assert "secret" not in first.reason
    assert (other.decision, [each.target for each in routing.deliveries]) == ("send", [WEST])


@rule
async def test_all_of_a_handlers_decisions_fail_with_one_of_them(tmp_path: Path) -> None:
    body = "return [Reply('first'), Reply('x', at=ctx.now + dt.timedelta(days=4000))]"
    routing = await routed(written(tmp_path, body))
    assert [line.decision for line in routing.trace] == ["error", "send"]
    assert [each.target for each in routing.deliveries] == [WEST]


@rule
async def test_a_chat_that_is_none_costs_the_other_decisions_nothing(tmp_path: Path) -> None:
    routing = await routed(written(tmp_path, "return [Send('nowhere', 'x'), Reply('still')]"))
    assert [line.decision for line in routing.trace] == ["error", "reply", "send"]
    assert [each.target for each in routing.deliveries] == [EAST, WEST]


@rule
async def test_an_error_from_elsewhere_is_told_with_the_plugins_own_line_first(tmp_path: Path) -> None:
    first, _ = (await routed(written(tmp_path, "import json; json.loads('x')"))).trace
    assert first.reason.startswith("decide: JSONDecodeError at p.py:9, decoder.py:")


@pytest.mark.parametrize(
    ("decision", "seconds"),
    [
        ("Reply('later', delay='90s')", 90),
        ("Reply('later', at=ctx.now + dt.timedelta(hours=1))", 3600),
        ("Send('west', 'later', delay=dt.timedelta(minutes=1))", 60),
    ],
)
@rule
async def test_what_is_to_wait_goes_out_at_its_time_and_holds_up_nothing(
    tmp_path: Path, decision: str, seconds: int
) -> None:
    async with bot(tmp_path, f"return [{decision}, Reply('now')]") as started:
        await say(started)
        assert said(started, EAST) == ["hi", "now"]
        await started.pass_time(seconds - 2)
        assert "later" not in said(started, EAST) + said(started, WEST)
        await started.pass_time(4)
        assert "later" in said(started, EAST) + said(started, WEST)


@rule
async def test_a_time_that_has_passed_means_at_once(tmp_path: Path) -> None:
    async with bot(tmp_path, "return Reply('now', at=ctx.now - dt.timedelta(days=1))") as started:
        await say(started)
        assert said(started, EAST) == ["hi", "now"]


@rule
async def test_what_the_platform_keeps_back_is_not_delivered_before_it_is_sent(tmp_path: Path) -> None:
    body = "return Reply('later', delayed_time=int(ctx.now.timestamp()) + 3600)"
    async with bot(tmp_path, body) as started:
        await say(started)
        await started.pass_time(1800)
        (later,) = [each for each in await deliveries(started) if each["target"] == EAST]
        assert (later["state"], said(started, EAST)) == ("accepted", ["hi"])
        await started.pass_time(1900)
        (later,) = [each for each in await deliveries(started) if each["target"] == EAST]
        assert (later["state"], said(started, EAST)) == ("delivered", ["hi", "later"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Forward(EAST, preface=7),  # type: ignore[arg-type] # that is what is tried
        lambda: Send(EAST),
        lambda: decisions_of({Stop(): 1}),
        lambda: decisions_of(text("x")),
        lambda: decisions_of(Reply),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_made(make: Callable[[], Any]) -> None:
    with pytest.raises(DecisionError):
        make()


def test_the_wait_is_kept_as_it_is_meant() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert Reply("x", delay="2h").delay == dt.timedelta(hours=2)
    assert Send(EAST, "x", at=now).at == now
    assert [each.delayed_time for each in Reply("x", text("y"), delayed_time=5).messages] == [5, 5]
