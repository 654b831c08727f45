"""Whatever else happens to a plugin on its bench: time, events, deliveries, questions, beginning and end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay import Reply, Send
from relay.errors import PluginError
from relay.store.states import DeliveryState
from relay.testing import Bench

CLERK = """
from relay import Context, Conversation, Delivery, Event, Message, Plugin, Reply, Send

plugin = Plugin("clerk")

@plugin.every("10m")
async def look(ctx):
    return Send("staff", f"{ctx.now:%H:%M}")

@plugin.every("1d", at="09:00")
async def report(ctx):
    return Send("staff", f"day {await ctx.state.increment('days')}")

@plugin.on_event
async def heard(event: Event, ctx):
    return Send("staff", f"{event.type} {event.content['wxid']} {event.account}")

@plugin.on_delivery
async def changed(delivery: Delivery, ctx):
    return Send("staff", f"{delivery.plugin} {delivery.kind} {delivery.state} {delivery.reason}".strip())

@plugin.on_start
async def start(ctx):
    await ctx.state.increment("starts")

@plugin.on_stop
async def stop(ctx):
    await ctx.state.increment("stops")

@plugin.on_message(contains=["order"])
async def ask(message: Message, ctx):
    return Reply("number?", then=answered, within="5m", on_timeout=late)

async def answered(message: Message, ctx):
    return Reply(f"order {message.text}")

async def late(conversation: Conversation, ctx):
    return Reply("never mind")
"""


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "clerk.py").write_text(CLERK)
    with Bench(tmp_path / "clerk.py", chats={"staff": "R:9"}, now="2026-01-05 08:35") as bench:
        yield bench


def test_every_tick_falls_within_the_time_that_passes(clerk: Bench) -> None:
    assert clerk.clock.advance("30m").texts == ["08:45", "08:55", "day 1", "09:05"]
    assert clerk.clock.advance("4m") == []


def test_a_restart_does_not_move_the_ticks(clerk: Bench) -> None:
    clerk.clock.advance("5m")
    clerk.restart()
    assert clerk.clock.advance("5m") == [Send("staff", "08:45")]


def test_it_begins_with_the_bench_and_with_each_restart(clerk: Bench) -> None:
    assert clerk.state == {"starts": 1}
    clerk.restart()
    assert clerk.state == {"starts": 2, "stops": 1}


def test_what_does_not_start_is_raised(tmp_path: Path) -> None:
    (tmp_path / "clerk.py").write_text(CLERK.replace('ctx.state.increment("starts")', "nobody()"))
    with pytest.raises(PluginError, match=r"clerk\.py:\d+: .*NameError"):
        Bench(tmp_path / "clerk.py", chats={"staff": "R:9"})


def test_an_event_is_what_the_platform_says(clerk: Bench) -> None:
    assert clerk.event("contacts", {"wxid": "7"}).texts == ["contacts 7 1688850000000001"]


@pytest.mark.parametrize("state", DeliveryState)
def test_a_delivery_of_another_comes_to_any_state(clerk: Bench, state: DeliveryState) -> None:
    (said,) = clerk.delivery(state, reason="because", target="staff", plugin="mirror").texts
    assert said.startswith(f"mirror send {state}")
    assert len(clerk.delivery(state, kind="forward")) == 1


def test_a_question_waits_for_its_answer_over_a_restart(clerk: Bench) -> None:
    clerk.say("order", sender="Ann")
    (question,) = clerk.conversations
    assert (question.sender, question.until - question.since) == (clerk.id("Ann"), dt.timedelta(minutes=5))
    clerk.restart()
    assert clerk.say("7", sender="Ben") == []
    assert clerk.say("7", sender="Ann") == [Reply("order 7")]
    assert clerk.conversations == []


def test_a_question_without_an_answer_ends_when_its_time_is_over(clerk: Bench) -> None:
    clerk.say("order")
    assert "never mind" not in clerk.clock.advance("299s").texts
    assert "never mind" in clerk.clock.advance("1s").texts
