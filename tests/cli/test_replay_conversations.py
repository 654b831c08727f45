"""`relay replay` over questions: answers, and time-outs between two messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, EAST, ONE, make_bot
from cli.conftest import Relay
from cli.test_replay import LONG_AGO, replayed

FORM = """
from relay import Conversation, Message, Context, Plugin, Reply, Stop

plugin = Plugin("form")

@plugin.on_message(contains=["order"])
async def begin(message: Message, ctx: Context) -> object:
    return [Reply("which one?", then=which, within="10m", on_timeout=late), Stop()]

async def which(message: Message, ctx: Context) -> object:
    return [Reply(f"one {message.text}"), Stop()]

async def late(conversation: Conversation, ctx: Context) -> object:
    await ctx.state.set("late", True, ttl=3600)
    return Reply(f"{conversation.message} waited until {conversation.until:%H:%M:%S}")

@plugin.on_message()
async def other(message: Message, ctx: Context) -> object:
    return Reply(f"late: {await ctx.state.get('late', False)}") if message.text == "late?" else None
"""


async def _ask(folder: Path) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "form.py").write_text(FORM, "utf-8")
    async with make_bot(folder=folder, accounts=(ONE,), configured=True) as bot:
        for text, seconds in (
            ("order", 30),
            ("lamp", 30),
            ("order", 1200),
            ("late?", 0),
            ("order", 1200),
        ):
            bot.simulator.say(EAST, ANN, text)
            await bot.work()
            await bot.pass_time(seconds)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bot.toml of a bot that asked three times, and was answered once; tests only read it."""
    folder = tmp_path_factory.mktemp("asking")
    asyncio.run(_ask(folder))
    return folder / "bot.toml"


def with_form(config: Path, folder: Path, before: str, after: str) -> str:
    """The same bot with another version of its plugin."""
    assert before in FORM
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "form.py").write_text(FORM.replace(before, after), "utf-8")
    (folder / "bot.toml").write_text(config.read_text("utf-8"), "utf-8")
    return str(folder)


def said_by(told: Any, side: str) -> list[tuple[str, str, list[str]]]:
    """What would be said about each message that differs, and why; the oldest first."""
    return [
        (
            row["text"],
            row["because"],
            [part["content"]["items"][0]["text"] for each in row[side] for part in each["messages"]],
        )
        for row in reversed(told["differences"])
    ]


def test_answers_and_time_outs_come_to_what_they_came_to(relay: Relay, asking: Path) -> None:
    told = replayed(relay, asking)
    assert (told["messages"], told["differences"]) == (5, [])


def test_an_answer_is_taken_by_the_other_configurations_handler(
    relay: Relay, asking: Path, tmp_path: Path
) -> None:
    new = with_form(asking, tmp_path / "new", "one {message", "a fine {message")
    told = replayed(relay, asking, "--against", new)
    assert said_by(told, "after") == [("lamp", "message", ["a fine lamp"])]


def test_where_it_does_not_ask_an_answer_is_a_message_and_nobody_is_waited_for(
    relay: Relay, asking: Path, tmp_path: Path
) -> None:
    new = with_form(asking, tmp_path / "new", ', then=which, within="10m", on_timeout=late', "")
    told = replayed(relay, asking, "--against", new)
    assert [(text, why) for text, why, _ in said_by(told, "before")] == [
        ("lamp", "message"),
        ("order", "timeout"),
        ("late?", "message"),
        ("order", "timeout"),
    ]
    assert said_by(told, "after")[2] == ("late?", "message", ["late: False"])
    assert told["summary"]["afterwards"]["fewer"] == {"messages": 2, "chats": 1}


@pytest.mark.parametrize(("within", "differs"), [("19m", []), ("21m", ["one late?"])])
def test_a_time_out_comes_between_two_messages_at_its_own_time(
    relay: Relay, asking: Path, tmp_path: Path, within: str, differs: list[str]
) -> None:
    """The next message, after 20 minutes, finds what it remembers, or is the answer that it waited for."""
    new = with_form(asking, tmp_path / "new", 'within="10m"', f'within="{within}"')
    found = {text: said for text, _, said in said_by(replayed(relay, asking, "--against", new), "after")}
    assert found.get("late?", []) == differs


def test_people_read_which_of_their_questions_nobody_answers(
    relay: Relay, asking: Path, tmp_path: Path
) -> None:
    new = with_form(asking, tmp_path / "new", "waited until", "gave up at")
    shown = relay("replay", "--config", str(asking), "--since", LONG_AGO, "--against", new).out
    for words in ("没人回答时说得不同 2 次", "无人回答", "定时和投递变化不演练"):
        assert words in shown


def test_what_the_bot_still_waits_for_has_not_timed_out(relay: Relay, tmp_path: Path) -> None:
    """The database is old by now, and nobody has run the bot since."""

    async def live() -> None:
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "form.py").write_text(FORM, "utf-8")
        async with make_bot(folder=tmp_path, accounts=(ONE,), configured=True) as bot:
            bot.simulator.say(EAST, ANN, "order")
            await bot.work()

    asyncio.run(live())
    assert replayed(relay, tmp_path / "bot.toml")["changed"] == 0
