"""A plugin on its bench: the very bot, and what it decides as values."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay import EndConversation, Forward, Outgoing, Reply, Send, Stop, Would, picture
from relay.authoring.decisions import DecisionError
from relay.errors import ConfigurationError, PluginError
from relay.testing import Bench

GREETER = """
from pydantic import BaseModel
from relay import Context, Forward, Message, Plugin, Reply, Send, Stop

class Settings(BaseModel):
    greeting: str = "你好"

plugin = Plugin("greeter", settings=Settings)

@plugin.on_message()
async def greet(message: Message, ctx: Context):
    names = ctx.names
    match message.text:
        case "hi":
            await ctx.state.increment("greeted")
            await ctx.state.set("last", message.sender, ttl="1h")
            return Reply(ctx.settings.greeting)
        case "who":
            return Reply(f"{names.of(message.sender)} {names.of(message.chat)} {message.chat_type}")
        case "late":
            return Reply(str(message.late))
        case "time":
            return Reply(ctx.now.isoformat())
        case "all":
            return [Forward(to=["staff"]), Send("staff", "look", "there"), Stop()]
        case "lost":
            return Send("nowhere", "hello?")
        case "type" | "":
            return Reply(f"{message.type} {message.content.url}")
        case "error":
            return fail(message)
        case "five":
            return 5
        case "often":
            return await count(message, ctx)

def fail(message):
    raise LookupError(message.text)

async def count(message, ctx):
    return Reply(str(await ctx.state.increment("often")))
"""


@pytest.fixture
def greeter(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    (tmp_path / "greeter.py").write_text(GREETER, "utf-8")
    made: list[Bench] = []

    def make(**given: Any) -> Bench:
        made.append(Bench(tmp_path / "greeter.py", **given))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


Make = Callable[..., Bench]


def test_a_message_in_and_decisions_out(greeter: Make) -> None:
    assert greeter().say("hi") == [Reply("你好")]


def test_what_matches_nothing_decides_nothing(greeter: Make) -> None:
    bench = greeter()
    assert bench.say("bye") == []
    assert bench.trace == "greeter    no  greet decided nothing"


def test_settings_are_the_tests_own(greeter: Make) -> None:
    bench = greeter(settings={"greeting": 'Hey "you"\n'})
    assert bench.say("hi").texts == ['Hey "you"\n']
    assert bench.settings.greeting == 'Hey "you"\n'  # type: ignore[attr-defined] # of the plugin's model


def test_wrong_settings_are_refused_as_in_bot_toml(greeter: Make) -> None:
    with pytest.raises(ConfigurationError, match=r"plugins\.greeter\.greeting"):
        greeter(settings={"greeting": 5})


def test_people_and_chats_have_the_names_that_the_test_gives(greeter: Make) -> None:
    bench = greeter(chats={"staff": "R:1"})
    assert bench.say("who", sender="Ann", chat="staff").texts == ["Ann staff room"]
    assert bench.say("who", sender="Ann", private=True).texts == ["Ann Ann private"]


def test_a_chat_that_nobody_named_is_no_chat(greeter: Make) -> None:
    with pytest.raises(ValueError, match="stuff"):
        greeter(chats={"staff": "R:1"}).say("hi", chat="stuff")


def test_all_that_is_decided_comes_in_its_order(greeter: Make) -> None:
    decided = greeter(chats={"staff": "R:1"}).say("all")
    assert (decided.forwarded, decided.texts, len(decided)) == (["staff"], ["look", "there"], 3)


def test_a_message_may_be_of_any_type(greeter: Make) -> None:
    bench = greeter()
    assert bench.say(picture("https://a/b.png")).texts == ["picture https://a/b.png"]
    assert bench.say(type="video", content={"url": "https://a/v"}).texts == ["video https://a/v"]


def test_state_is_a_mapping_to_read_and_to_write(greeter: Make) -> None:
    bench = greeter()
    bench.say("hi", sender="7881300000000007")
    assert bench.state == {"greeted": 1, "last": "7881300000000007"}
    bench.state["often"] = 41
    del bench.state["greeted"]
    assert bench.say("often").texts == ["42"]
    assert set(bench.state) == {"last", "often"}


def test_time_stands_still_until_it_is_moved(greeter: Make) -> None:
    bench = greeter(now="2026-01-05 08:59")
    bench.clock.advance("90s")
    assert bench.say("time").texts == ["2026-01-05T09:00:30+08:00"]
    bench.clock.advance(to="09:00")
    assert bench.clock.now.isoformat() == "2026-01-06T09:00:00+08:00"


def test_a_value_ends_with_its_time(greeter: Make) -> None:
    bench = greeter()
    bench.say("hi")
    bench.clock.advance("59m")
    assert "last" in bench.state
    bench.clock.advance("1m")
    assert "last" not in bench.state


def test_what_is_on_disk_survives_a_restart(greeter: Make) -> None:
    bench = greeter()
    bench.say("hi")
    bench.restart(settings={"greeting": "again"})
    assert bench.say("hi").texts == ["again"]
    assert bench.state["greeted"] == 2


def test_an_error_is_raised_in_the_test_from_the_plugins_own_line_on(greeter: Make) -> None:
    bench = greeter()
    with pytest.raises(LookupError, match="error") as caught:
        bench.say("error")
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-2:] == ["greet", "fail"]
    assert "_decide" not in frames
    assert bench.say("hi").texts == ["你好"]


def test_what_is_no_decision_is_an_error_that_names_the_handler(greeter: Make) -> None:
    with pytest.raises(DecisionError) as caught:
        greeter().say("five")
    assert "greeter.greet" in " ".join(caught.value.__notes__)


def test_what_could_not_go_out_is_an_error(greeter: Make) -> None:
    with pytest.raises(PluginError, match="nowhere"):
        greeter().say("lost")


def test_own_and_late_messages_are_such(greeter: Make) -> None:
    bench = greeter()
    assert bench.say("late").texts == ["False"]
    assert bench.say("late", late=True).texts == ["True"]
    assert bench.say("late", own=True) == []
    assert bench.trace == "    skipped  own"


def test_another_account_of_ours_may_hear_it(greeter: Make) -> None:
    bench = greeter()
    bench.say("hi")
    assert bench.say("hi", account="1688850000000002").texts == ["你好"]


def test_only_the_plugin_of_the_test_runs(greeter: Make, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("this is no Python")
    (tmp_path / "loud.py").write_text(GREETER.replace('"greeter"', '"loud"').replace("你好", "HEY"))
    assert greeter().say("hi").texts == ["你好"]
    both = greeter(bot_toml='[plugins]\norder = ["loud", "greeter"]')
    assert both.say("hi").texts == ["HEY", "你好"]


def test_what_does_not_load_says_why_and_where(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from relay import Plugin\n\nplugin = Plugin(broken)\n")
    with pytest.raises(PluginError, match=r"broken\.py:3: NameError"):
        Bench(tmp_path / "broken.py")


async def in_a_loop(bench: Bench) -> list[str]:
    return bench.say("hi").texts


def test_it_works_within_somebodys_loop(greeter: Make) -> None:
    assert asyncio.run(in_a_loop(greeter())) == ["你好"]


def test_the_functions_of_the_plugin_are_at_hand(greeter: Make) -> None:
    assert greeter().module.Settings().greeting == "你好"


def test_a_restart_with_wrong_settings_is_refused_and_the_bench_still_ends(greeter: Make) -> None:
    bench = greeter()
    with pytest.raises(ConfigurationError, match="greeting"):
        bench.restart(settings={"greeting": 5})


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Reply("hi"), "Reply('hi')"),
        (
            Reply("a", picture("u"), delay="10m", rule="r"),
            "Reply('a', picture(url='u'), rule='r', delay='0:10:00')",
        ),
        (Reply("q?", then=in_a_loop), "Reply('q?', then=in_a_loop, within='0:10:00')"),
        (Forward(["a", "b"], preface="x"), "Forward(['a', 'b'], preface='x')"),
        (Send("a", Outgoing("text", {"items": [5]})), "Send('a', text(items=[5]))"),
        (Would(EndConversation(chat="c"), Stop()), "Would(EndConversation(chat='c'), Stop())"),
    ],
)
def test_a_failed_comparison_shows_decisions_as_they_are_written(decision: object, told: str) -> None:
    assert repr(decision) == told
