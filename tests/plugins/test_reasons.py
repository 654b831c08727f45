"""What the trace says about rules and routes: for each of a few, and of many for those with a chance."""

from __future__ import annotations

import pytest
from bots import EAST, WEST, Row, entry, make_bot, receive, rule
from plugins.lists import routes, rules

Line = tuple[str, str, str]


async def trace(toml: str, plugin: str, text: str = "hi", **said: object) -> list[Line]:
    """Rule, decision and reason of every line that a plugin left for a message."""
    async with make_bot(toml, configured=True) as bot:
        await receive(bot, entry("1", text, **said))
        await bot.router.drain()
        wanted = "SELECT rule, decision, reason FROM traces WHERE plugin = ? ORDER BY ordinal"
        rows = await bot.store._db.read(lambda db: db.execute(wanted, (plugin,)).fetchall())
        return [(str(name), str(decision), str(reason)) for name, decision, reason in rows]


@pytest.mark.parametrize(
    ("keys", "said", "reason"),
    [
        ({"enabled": False}, {}, "enabled = false"),
        ({"chats": [WEST]}, {}, f"chats: {EAST} is not among {WEST}"),
        ({"not_chats": [EAST]}, {}, f"not_chats: {EAST} is among them"),
        ({"accounts": ["1688850000000009"]}, {}, "accounts: 1688850000000001 is not among 1688850000000009"),
        ({"chat_type": "private"}, {}, "chat_type: room, not private"),
        ({"senders": ["7881300000000009"]}, {}, "senders: 7881300000000001 is not among 7881300000000009"),
        ({"hours": "09:00-10:00"}, {}, "hours: 06:13 is not in 09:00-10:00"),
        ({"days": ["mon"]}, {}, "days: wed is not among mon"),
        ({"contains": ["y"], "regex": ["z"]}, {}, "contains: none of y; regex: no match of z"),
        ({"contains": ["y"]}, {"msg_type": "picture"}, "type picture has no text to look into"),
    ],
)
@rule
async def test_every_rule_says_which_condition_failed(keys: Row, said: Row, reason: str) -> None:
    lines = await trace(rules({"reply": "x", **keys}), "keyword_reply", **said)
    assert lines == [("rule 0", "no", reason)]


@pytest.mark.parametrize(
    ("keys", "said", "reason"),
    [
        ({"enabled": False}, {}, "enabled = false"),
        ({"from": [WEST], "to": [EAST], "between": []}, {}, f"from: {EAST} is not among {WEST}"),
        ({"types": ["link"]}, {}, "types: text is not among link"),
        ({}, {"msg_type": "system"}, "not_types: system is among them"),
        ({"senders": ["7881300000000009"]}, {}, "senders: 7881300000000001 is not among 7881300000000009"),
        ({"contains": ["y"]}, {}, "contains: none of y"),
        ({"not_contains": ["H"]}, {}, "not_contains: h is in it"),
    ],
)
@rule
async def test_every_route_says_which_condition_failed(keys: Row, said: Row, reason: str) -> None:
    lines = await trace(routes({"between": [EAST, WEST], **keys}), "group_mirror", **said)
    assert lines == [("route 0", "no", reason)]


@pytest.mark.parametrize("more", [{}, {"forward_to": [WEST]}])
@rule
async def test_a_reply_that_is_empty_once_filled_in_is_not_sent(more: Row) -> None:
    lines = await trace(rules({"reply": " {text}", **more}), "keyword_reply", msg_type="picture")
    assert lines[0] == ("rule 0", "no", "the reply is empty once filled in")
    assert [decision for _, decision, _ in lines[1:]] == [*["forward"] * len(more), "stop"]


@rule
async def test_of_several_replies_those_with_words_are_sent() -> None:
    lines = await trace(rules({"reply": ["{text}", "x"]}), "keyword_reply", msg_type="picture")
    assert [decision for _, decision, _ in lines] == ["no", "reply", "stop"]


def first_of(lines: list[Line]) -> list[tuple[str, str]]:
    """Rule and decision of every line."""
    return [(name, decision) for name, decision, _ in lines]


@rule
async def test_rules_stand_in_the_order_of_the_configuration_those_that_decided_too() -> None:
    passing = {"contains": ["hi"], "reply": "x", "stop": False}
    toml = rules(
        {"contains": ["y"], "reply": "x"}, passing, {"contains": ["z"], "reply": "x"}, {"reply": "x"}
    )
    assert first_of(await trace(toml, "keyword_reply")) == [
        ("rule 0", "no"),
        ("rule 1", "reply"),
        ("rule 2", "no"),
        ("rule 3", "reply"),
        ("rule 3", "stop"),
    ]


@rule
async def test_what_a_rule_stopped_stands_behind_it() -> None:
    lines = await trace(rules({"reply": "x"}, {"reply": "y"}), "keyword_reply")
    assert first_of(lines) == [("rule 0", "reply"), ("rule 0", "stop"), ("rule 1", "no")]
    assert lines[-1][2] == "rule 0 stopped it before"


@rule
async def test_a_route_that_forwards_stands_before_those_after_it() -> None:
    there = {"from": [EAST], "to": [WEST]}
    lines = await trace(
        routes(there, {**there, "types": ["link"]}, {**there, "observe": True}), "group_mirror"
    )
    assert first_of(lines) == [("route 0", "forward"), ("route 1", "no"), ("route 2", "no")]


def many(*last: Row) -> str:
    """Sixty rules that look for words nobody says, and then these."""
    return rules(*({"contains": [f"word {number}"], "reply": "x"} for number in range(60)), *last)


@rule
async def test_of_many_rules_those_without_a_chance_share_a_line() -> None:
    off = {"contains": ["hi"], "reply": "x", "days": ["mon"]}
    assert await trace(many(off, {"regex": ["y"], "reply": "x"}), "keyword_reply") == [
        ("rule 60", "no", "days: wed is not among mon"),
        ("", "no", "61 other rules: off, for other chats, or nothing of theirs is in it"),
    ]


@rule
async def test_rules_behind_the_one_that_stops_are_not_counted() -> None:
    lines = await trace(many({"reply": "x"}, {"contains": ["hi"], "reply": "y"}), "keyword_reply")
    told = [reason for name, decision, reason in lines if decision == "no"]
    assert told == ["60 other rules: off, for other chats, or nothing of theirs is in it"]
    assert [name for name, decision, _ in lines if decision == "reply"] == ["rule 60"]


@pytest.mark.parametrize(
    ("keys", "text", "answered"),
    [
        ({"regex": [r"no\.\d+"]}, "no.7", True),
        ({"regex": [r"no\.\d+"]}, "no", False),
        ({}, "anything", True),
        ({}, "", True),
        ({"equals": ["hi"], "chats": [EAST]}, "hi", True),
        ({"equals": ["hi"], "chats": [WEST]}, "hi", False),
        ({"equals": ["hi"], "enabled": False}, "hi", False),
    ],
)
@rule
async def test_a_rule_among_many_matches_as_it_does_among_few(keys: Row, text: str, answered: bool) -> None:
    for toml in (many({"reply": "x", **keys}), rules({"reply": "x", **keys})):
        lines = await trace(toml, "keyword_reply", text)
        assert bool([line for line in lines if line[1] == "reply"]) is answered
