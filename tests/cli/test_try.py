"""`relay try`: what the bot would do, by the same plugins, of which nothing remains."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import ACCOUNT, CUSTOMER, EAST, WEST, Ended, Relay, ask

SAID = ("--chat", "east", "--sender", CUSTOMER)
DUMB = """
import sys
from relay import Plugin, Reply

print("loaded")
plugin = Plugin("counter")


@plugin.on_message()
async def count(message, ctx):
    print("asked")
    times = await ctx.state.increment("times")
    return Reply(f"{times} {ctx.dry_run} {message.own} {message.sender}")
"""


def tried(relay: Relay, config: Path, text: str, *more: str) -> Any:
    return relay("try", text, *SAID, *more, "--config", str(config), "--json").json()


def everything(config: Path) -> list[str]:
    """All that is in the database."""
    with sqlite3.connect(config.parent / "relay.db") as connection:
        return list(connection.iterdump())


def test_it_tells_decisions_and_trace(relay: Relay, filled: Path) -> None:
    told = tried(relay, filled, "价格多少")
    forward, reply = told["decisions"]
    assert list(forward) == ["plugin", "rule", "kind", "account", "targets", "messages"]
    assert (forward["kind"], forward["targets"], forward["messages"]) == ("forward", [WEST], [])
    assert (reply["kind"], reply["rule"], reply["account"], reply["targets"]) == (
        "send",
        "price",
        ACCOUNT,
        [EAST],
    )
    assert reply["messages"][0]["content"]["items"][0]["text"] == "您好"
    assert [line["decision"] for line in told["trace"]] == ["forward", "reply", "stop"]


def test_it_does_what_the_live_bot_did(relay: Relay, filled: Path) -> None:
    lived = relay("explain", "m1", "--config", str(filled), "--json").json()
    told = tried(relay, filled, lived["text"])
    cut = [{**line, "ms": 0} for line in told["trace"]]
    assert cut == [{**line, "ms": 0} for line in lived["trace"]]
    assert [(each["target"]) for each in lived["deliveries"]] == told["decisions"][0]["targets"]


def test_people_read_a_long_reply_to_its_end_however_narrow_the_screen(relay: Relay, empty: Path) -> None:
    reply = "这是一句很长的回复，" * 20 + "到此为止吧"
    empty.write_text(empty.read_text("utf-8").replace("您好", reply), "utf-8")
    told = relay("try", "价格多少", *SAID, "--config", str(empty), columns=80).out
    assert (told.count("复"), told.count("吧")) == (20 + 1, 1)  # and once where the trace says 回复


def test_nothing_is_written_and_nothing_is_remembered(relay: Relay, filled: Path) -> None:
    before = everything(filled)
    assert tried(relay, filled, "价格多少") != tried(relay, filled, "hello")
    assert everything(filled) == before


@pytest.fixture
def counting(empty: Path) -> Path:
    """A bot with a plugin that remembers, prints, and tells what it was given."""
    (empty.parent / "plugins").mkdir()
    (empty.parent / "plugins" / "counter.py").write_text(DUMB, "utf-8")
    return empty


def test_a_plugin_finds_what_it_remembers_and_leaves_it_as_it_was(relay: Relay, counting: Path) -> None:
    with sqlite3.connect(counting.parent / "relay.db") as connection:
        connection.execute("INSERT INTO plugin_state VALUES ('counter', 'times', '41', NULL, 0)")
    for _ in range(2):
        (reply,) = (each for each in tried(relay, counting, "x")["decisions"] if each["plugin"] == "counter")
        assert reply["messages"][0]["content"]["items"][0]["text"] == f"42 True False {CUSTOMER}"


def test_what_plugins_print_does_not_spoil_the_answer(relay: Relay, counting: Path) -> None:
    ended = relay("try", "x", *SAID, "--config", str(counting), "--json")
    assert ended.json()["decisions"]
    assert "asked" in ended.err


def test_what_an_account_of_ours_says_is_own(relay: Relay, counting: Path, filled: Path) -> None:
    del counting
    told = relay(
        "try", "价格", "--chat", "east", "--sender", ACCOUNT, "--config", str(filled), "--json"
    ).json()
    assert told["decisions"] == []
    assert "own" in told["trace"][-1]["reason"]


def test_a_bot_that_never_ran_can_be_tried(relay: Relay, fresh: Path) -> None:
    told = tried(relay, fresh, "价格", "--account", ACCOUNT)
    assert [each["account"] for each in told["decisions"]] == [ACCOUNT, ACCOUNT]
    assert not (fresh.parent / "relay.db").exists()


def test_a_plugin_that_does_not_load_is_told_in_the_trace(relay: Relay, counting: Path) -> None:
    (counting.parent / "plugins" / "broken.py").write_text("import nothing_of_that_name", "utf-8")
    line = tried(relay, counting, "x")["trace"][0]
    assert (line["plugin"], line["decision"]) == ("broken", "error")
    assert "nothing_of_that_name" in line["reason"]


def test_an_account_that_is_not_ours_is_refused_with_the_names_of_ours(relay: Relay, filled: Path) -> None:
    ended = wrong(relay, filled, "x", *SAID, "--account", CUSTOMER)
    assert ended.code == 2
    assert CUSTOMER in ended.json()["error"]
    assert ACCOUNT in ended.json()["hint"]


def wrong(relay: Relay, config: Path, *arguments: str) -> Ended:
    return relay("try", *arguments, "--config", str(config), "--json")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("x", "--sender", CUSTOMER), "--chat"),
        (("x", "--chat", "east"), "--sender"),
        (("", *SAID), ""),
        (("x", "--chat", "eats", "--sender", CUSTOMER), "eats"),
        (("x", "--chat", "both", "--sender", CUSTOMER), "both"),
        (("x", "--chat", "east", "--sender", "7" * 300), "777"),
        (("x" * 10_001, *SAID), ""),
    ],
)
def test_a_wrong_question_ends_with_2_and_a_hint(
    relay: Relay, filled: Path, arguments: tuple[str, ...], error: str
) -> None:
    ended = wrong(relay, filled, *arguments)
    assert ended.code == 2
    assert error in ended.json()["error"]
    assert ended.json()["hint"]


def test_people_read_names_in_their_language(relay: Relay, filled: Path) -> None:
    told = relay("try", "价格", *SAID, "--config", str(filled)).out
    assert "李伟" in told
    assert "原样" in told
    assert "您好" in told
    assert "没有发送" in told


def test_what_is_said_by_whom_the_bot_has_asked_is_their_answer_and_the_question_stays(
    relay: Relay, tmp_path: Path
) -> None:
    asyncio.run(ask(tmp_path, "order"))
    for _ in range(2):
        told = tried(relay, tmp_path / "bot.toml", "a lamp")
        (answer,) = (each for each in told["decisions"] if each["plugin"] == "asking")
        assert answer["messages"][0]["content"]["items"][0]["text"] == "one a lamp"
    other = relay(
        "try", "a lamp", "--chat", "west", *SAID[2:], "--config", str(tmp_path / "bot.toml"), "--json"
    )
    assert "asking" not in {each["plugin"] for each in other.json()["decisions"]}
