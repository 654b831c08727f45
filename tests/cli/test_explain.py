"""`relay explain`: the message, what every rule said, and where it went."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from cli.conftest import EAST, WEST, Relay, ask
from cli.test_rows import DELIVERY, MESSAGE

REASON = "reason late account_name chat_name sender_name"


def test_it_tells_message_trace_and_deliveries(relay: Relay, filled: Path) -> None:
    told = relay("explain", "m1", "--config", str(filled), "--json").json()
    assert " ".join(told) == f"{MESSAGE} {REASON} trace deliveries occasions copies echo_of ahead names"
    assert [list(line) for line in told["trace"]] == [["plugin", "rule", "decision", "reason", "ms"]] * 2
    (delivery,) = told["deliveries"]
    assert " ".join(delivery) == f"{DELIVERY} plugin rule occasion_id account_name target_name requests"
    assert (delivery["message_id"], delivery["target"]) == ("m1", WEST)


def test_the_trace_says_what_decided_and_which_condition_failed(relay: Relay, filled: Path) -> None:
    told = relay("explain", "m1", "--config", str(filled), "--json").json()
    said = [(line["rule"], line["decision"], line["reason"]) for line in told["trace"]]
    assert said == [("both ways", "forward", f"to {WEST}"), ("price", "no", "contains: none of 价格")]


def test_our_id_and_the_svrid_mean_the_same_message(relay: Relay, filled: Path) -> None:
    by_id = relay("explain", "m1", "--config", str(filled), "--json").json()
    for word in ("1", "M1", by_id["svrid"]):
        assert relay("explain", word, "--config", str(filled), "--json").json() == by_id


@pytest.mark.parametrize("word", ["m99", "99", "d99", "nonsense", "m99999999999999999999"])
def test_a_message_that_is_not_there_ends_with_1_and_a_hint(relay: Relay, filled: Path, word: str) -> None:
    ended = relay("explain", word, "--config", str(filled), "--json")
    assert ended.code == 1
    assert word in ended.json()["error"]
    assert ended.json()["hint"]


def test_people_read_names_in_their_language(relay: Relay, filled: Path) -> None:
    told = relay("explain", "m1", "--config", str(filled), columns=100).out
    assert "contains：没有 价格" in told
    assert "到 客户群 west" in told
    assert EAST not in told
    assert EAST in relay("explain", "m1", "--ids", "--config", str(filled)).out


def test_one_that_was_skipped_says_so(relay: Relay, filled: Path) -> None:
    told = relay("explain", "m2", "--config", str(filled)).out
    assert "我方消息" in told
    assert "没有交给插件" in told


def test_a_long_reason_is_told_to_its_end_however_narrow_the_screen(
    relay: Relay, filled: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute("UPDATE traces SET reason = ?", ("ValueError: " + "x" * 200,))
        connection.execute("UPDATE deliveries SET error = ?", ("errcode 406: " + "q" * 200,))
    told = relay("explain", "m1", "--config", str(tmp_path / "bot.toml"), columns=80).out
    assert (told.count("x"), told.count("q")) == (2 * 200, 200)


def test_a_delivery_is_told_with_its_requests_and_their_echoes(relay: Relay, filled: Path) -> None:
    told = relay("explain", "d1", "--config", str(filled), "--json").json()
    (request,) = told["deliveries"][0]["requests"]
    assert told["id"] == "m1"
    assert (request["number"], request["outcome"], request["error"]) == (1, "taken", None)
    echo = relay("explain", request["echo"], "--config", str(filled), "--json").json()
    assert (echo["state"], echo["echo_of"]) == ("skipped", "d1")
    assert "回声" in relay("explain", request["echo"], "--config", str(filled)).out


def test_one_that_was_removed_is_told_from_one_that_never_was(
    relay: Relay, filled: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    config = str(tmp_path / "bot.toml")
    svrid = relay("explain", "m2", "--config", config, "--json").json()["svrid"]
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute("DELETE FROM messages WHERE id = 2")
    for word in ("m2", svrid):
        ended = relay("explain", word, "--config", config)
        assert ended.code == 1
        assert "收到过" in ended.err
    assert "收到过" not in relay("explain", "m99", "--config", config).err


def test_of_many_rules_each_is_asked_again_where_somebody_wants_to_know(
    relay: Relay, filled: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    rule = '[[plugins.keyword_reply.rules]]\nname = "rule {}"\ncontains = ["word {}"]\nreply = "x"\n'
    config = tmp_path / "bot.toml"
    more = "\n".join(rule.format(number, number) for number in range(60))
    config.write_text(config.read_text("utf-8") + "\n" + more, "utf-8")
    told = relay("explain", "m1", "--rules", "--config", str(config), "--json").json()
    lines = {line["rule"]: line["reason"] for line in told["again"]}
    assert len(lines) == 62
    assert lines["rule 59"] == "contains: none of word 59"
    (line,) = relay("explain", "m1", "--rule", "rule 7", "--config", str(config), "--json").json()["again"]
    assert line["reason"] == "contains: none of word 7"
    assert "演练" in relay("explain", "m1", "--rule", "rule 7", "--config", str(config)).out
    assert relay("explain", "m1", "--rule", "rule 99", "--config", str(config)).code == 1


def test_one_that_was_skipped_can_be_asked_again_too(relay: Relay, filled: Path) -> None:
    told = relay("explain", "m2", "--rules", "--config", str(filled), "--json").json()
    assert "own" in told["again"][0]["reason"]


def test_an_answer_is_asked_again_as_an_answer(relay: Relay, tmp_path: Path) -> None:
    asyncio.run(ask(tmp_path, "order", "a lamp"))
    config = ("--config", str(tmp_path / "bot.toml"))
    rows = relay("messages", *config, "--json").json()
    (answer,) = (row["id"] for row in rows if row["text"] == "a lamp")
    told = relay("explain", answer, "--rules", *config, "--json").json()
    mine = [[line for line in told[key] if line["plugin"] == "asking"] for key in ("trace", "again")]
    assert [line["decision"] for line in mine[0]] == ["answer", "reply"]
    assert [{**line, "ms": 0} for line in mine[0]] == [{**line, "ms": 0} for line in mine[1]]
