"""Rules and routes that are always true, or never."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linting.tables import EAST, Row, routes, rules, told

from relay import Pattern
from relay.linting.breadth import is_certain
from relay.linting.scopes import Those


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"chats": ["east"], "chat_type": "private"}, "chat_type"),
        ({"chats": ["123456"], "chat_type": "room"}, "chat_type"),
        ({"senders": ["all"]}, "senders"),
        ({"accounts": ["east"]}, "accounts"),
        ({"senders": ["1688850000000001"]}, "senders"),
    ],
)
def test_a_rule_that_is_never_true_is_told_at_its_key(row: Row, key: str) -> None:
    tables = rules({"contains": ["x"], **row})
    assert told(*tables, accounts=["1688850000000001"]) == [(f"rules[0].{key}", "never_true")]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"contains": ["price list"], "not_contains": ["price"]}, "contains"),
        ({"contains": ["price"], "types": ["picture", "voice"]}, "contains"),
        ({"senders": ["1688850000000001"]}, "senders"),
    ],
)
def test_a_route_that_is_never_true_is_told_at_its_key(row: Row, key: str) -> None:
    tables = routes({"from": ["east"], "to": ["west"], **row})
    assert told(*tables, accounts=["1688850000000001"]) == [(f"routes[0].{key}", "never_true")]


def test_our_own_accounts_may_be_meant_where_what_staff_say_counts() -> None:
    row = {"from": ["east"], "to": ["west"], "senders": ["1688850000000001"], "include_own": True}
    assert told(*routes(row), accounts=["1688850000000001"]) == []


def test_a_rule_for_chats_that_its_plugin_is_not_for_is_told() -> None:
    switches = {"keyword_reply": Those.of(["R:9"])}
    assert told(*rules({"contains": ["x"], "chats": [EAST]}), switches=switches) == [
        ("rules[0].chats", "never_true")
    ]


@pytest.mark.parametrize("pattern", [".*", ".", ".+", r"\S", "x*", "(a|)", "^", r"[\s\S]+", r"\w*", "(?i)"])
def test_a_pattern_for_everything_is_told(pattern: str) -> None:
    assert told(*rules({"regex": [pattern]})) == [("rules[0].regex[0]", "matches_everything")]


@pytest.mark.parametrize("pattern", ["价格", r"\d+", "[a-z]", r"^\s*$", r"\bprice\b", "..", r"[^a-zA-Z]{3}"])
def test_a_pattern_for_something_is_not(pattern: str) -> None:
    assert told(*rules({"regex": [pattern]})) == []


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "^", "$", r"\b", r"\B", "a*", "b?", "|", ".", "(?m)", "\\z"]), min_size=1),
    st.lists(st.text(min_size=1, max_size=4), min_size=5, max_size=5),
)
def test_what_is_certain_to_match_matches_any_text(parts: list[str], texts: list[str]) -> None:
    try:
        pattern = Pattern("".join(parts))
    except ValueError:
        return
    if is_certain(pattern.text):
        assert all(pattern.search(text) is not None for text in (*texts, "\n", "a", " b"))
