"""What routes do together, and rules that forward with them."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

import pytest
from linting.tables import EAST, NORTH, WEST, Row, decided, found, message, named, read, routes, rules, told

from relay import Message, Would

EAST_WEST: Row = {"from": ["east"], "to": ["west"]}


def path_of(*rows: Row) -> list[str]:
    """The circles that are drawn."""
    said = [str(each.message) for each in found(*routes(*rows)) if each.code == "route_cycle"]
    return [words.partition("circle: ")[2].partition(".")[0] for words in said]


def test_routes_that_lead_back_are_drawn_by_the_names_of_their_chats() -> None:
    assert path_of(EAST_WEST, {"from": ["west"], "to": ["east"]}) == ["west → east → west"]


def test_a_circle_may_go_over_several_routes_and_chats_of_a_list() -> None:
    there = {"from": ["west"], "to": ["north"]}
    back = {"from": ["north"], "to": ["all"]}
    assert path_of(EAST_WEST, there, back) == ["north → east → west → north"]


@pytest.mark.parametrize(
    "rows",
    [
        [{"between": ["all"]}],
        [{"from": ["all"], "to": ["all"]}],
        [EAST_WEST, {"from": ["east"], "to": ["north"]}],
        [EAST_WEST, {"from": ["north"], "to": ["west"]}],
        [EAST_WEST, {"from": ["west"], "to": ["east"], "enabled": False}],
        [EAST_WEST, {"from": ["west"], "to": ["east"], "observe": True}],
    ],
)
def test_what_is_meant_to_go_both_ways_is_no_circle_nor_what_leads_nowhere_back(rows: list[Row]) -> None:
    assert path_of(*rows) == []


def test_a_rule_that_forwards_everything_closes_a_circle_and_one_that_forwards_some_does_not() -> None:
    back = {"chats": ["west"], "forward_to": ["east"], "reply": ""}
    assert ("rules[0]", "route_cycle") in told(*routes(EAST_WEST), *rules(back))
    assert told(*routes(EAST_WEST), *rules({**back, "contains": ["help"]})) == []


def test_a_route_that_another_serves_already_never_sends() -> None:
    assert told(*routes({"between": ["all"]}, EAST_WEST)) == [("routes[1]", "shadowed")]
    assert told(*routes(EAST_WEST, {**EAST_WEST, "contains": ["price"], "mode": "attributed"})) == [
        ("routes[1]", "shadowed")
    ]


@pytest.mark.parametrize(
    "earlier",
    [
        {"contains": ["price"]},
        {"not_contains": ["price"]},
        {"senders": ["123456"]},
        {"types": ["text"]},
        {"hours": "09:00-18:00"},
        {"late": "skip"},
        {"observe": True},
        {"enabled": False},
    ],
)
def test_a_route_sends_what_an_earlier_one_does_not(earlier: Row) -> None:
    assert told(*routes({**EAST_WEST, **earlier}, EAST_WEST)) == []


def test_what_staff_say_is_left_to_the_route_that_wants_it() -> None:
    assert told(*routes(EAST_WEST, {**EAST_WEST, "include_own": True})) == []


def test_routes_that_do_a_part_of_each_others_work_are_told_with_an_example() -> None:
    (warning,) = found(*routes(EAST_WEST, {"from": ["east", "north"], "to": ["west"]}))
    assert (warning.code, "east → west" in str(warning)) == ("route_doubled", True)


def test_a_chat_that_gets_a_message_as_it_is_and_as_a_text_is_told() -> None:
    mirror = routes({**EAST_WEST, "mode": "attributed"})
    rule = {"contains": ["help"], "forward_to": ["west"]}
    assert told(*mirror, *rules(rule)) == [("rules[0]", "message_doubled")]
    assert told(*mirror, *rules({**rule, "chats": ["north"]})) == []
    assert told(*routes({**EAST_WEST, "mode": "attributed", "not_contains": ["help"]}), *rules(rule)) == []
    assert told(*routes(EAST_WEST), *rules(rule)) == []  # the same forward goes out once


def test_a_rule_that_stops_the_message_before_the_route_doubles_nothing() -> None:
    mirror = routes({**EAST_WEST, "mode": "attributed"})
    assert told(*rules({"contains": ["help"], "forward_to": ["west"]}), *mirror) == []


def test_one_message_for_more_chats_than_an_account_serves_in_a_minute_is_told() -> None:
    assert told(*routes({"from": [EAST], "to": [WEST, NORTH]}), per_minute=1) == [("routes[0]", "fan_out")]
    assert told(*routes({"from": [EAST], "to": [WEST, NORTH]}), per_minute=2) == []


def test_chats_that_are_divided_among_accounts_are_counted_by_each() -> None:
    one, other = "1688850000000001", "1688850000000002"
    there = {"from": [EAST], "to": [WEST], "account": one}
    rows = [there, {**there, "to": [NORTH], "account": other}]
    assert told(*routes(*rows), per_minute=1) == []
    assert told(*routes(rows[0], {**rows[1], "account": one}), per_minute=1) == [("routes[1]", "fan_out")]


LEFT: Row = {"chats": [EAST], "contains": ["a"], "reply": "", "forward_to": [WEST]}
RIGHT: Row = {**LEFT, "contains": ["b"], "forward_to": [NORTH]}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({}, {}),
        ({"hours": "09:00-12:00", "stop": False}, {"hours": "12:00-18:00"}),
        ({"days": ["sat", "sun"], "stop": False}, {"days": ["mon"]}),
        ({"senders": ["1111111"], "stop": False}, {"senders": ["2222222"]}),
        ({"accounts": ["1688850000000001"], "stop": False}, {"accounts": ["1688850000000002"]}),
        ({"chats": [], "not_chats": [EAST], "stop": False}, {}),
        ({"contains": [], "equals": ["a"], "stop": False}, {"contains": [], "equals": ["b"]}),
        ({"contains": [], "equals": ["a"], "stop": False}, {}),
    ],
)
def test_rules_that_never_act_on_the_same_message_are_not_added_up(left: Row, right: Row) -> None:
    assert told(*rules({**LEFT, **left}, {**RIGHT, **right}), per_minute=1) == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({}, {}),
        ({"hours": "09:00-13:00"}, {"hours": "12:00-18:00"}),
        ({"chats": []}, {}),
        ({"contains": [], "equals": ["ab"]}, {}),
        ({"cooldown": "1m", "stop": True, "forward_to": [WEST, NORTH]}, {}),
    ],
)
def test_rules_that_may_act_on_the_same_message_are_added_up(left: Row, right: Row) -> None:
    tables = rules({**LEFT, "stop": False, **left}, {**RIGHT, **right})
    assert [code for _, code in told(*tables, per_minute=1)] == ["fan_out"]


def test_a_rule_that_stops_everything_leaves_nothing_to_the_routes_behind_it() -> None:
    there = {"from": [EAST], "to": [WEST, NORTH]}
    stopping = rules({"chats": [EAST]})
    assert told(*stopping, *routes(there), per_minute=1) == []
    assert told(*routes(there), *stopping, per_minute=1) == [("routes[0]", "fan_out")]


def test_a_rule_for_any_chat_is_told_to_reach_too_many() -> None:
    (warning,) = found(*rules({"contains": ["a"], "forward_to": [WEST, NORTH]}), per_minute=1)
    assert (warning.code, "any chat" in str(warning)) == ("fan_out", True)


def test_what_one_route_does_not_want_is_not_added_to_what_another_does() -> None:
    there: Row = {"from": [EAST], "to": [WEST], "contains": ["price"]}
    other = {"from": [EAST], "to": [NORTH], "not_contains": ["price"]}
    assert told(*routes(there, other), per_minute=1) == []
    assert told(*routes(other, there), per_minute=1) == []


@pytest.mark.parametrize("seed", range(2))
def test_routes_are_told_where_one_message_goes_to_several_and_only_there(seed: int) -> None:
    chance, warned = Random(seed), 0
    for _ in range(20):
        rows = [some_route(chance) for _ in range(chance.randint(1, 3))]
        settings = read("group_mirror", "routes", rows)
        warns = "fan_out" in {code for _, code in told(*routes(*rows), per_minute=1)}
        said = (some_message(chance) for _ in range(600))
        assert any(len(reached(settings, each)) > 1 for each in said) is warns, rows
        warned += warns
    assert 3 < warned < 17


def test_a_plugin_that_only_observes_sends_nothing_twice_or_in_circles() -> None:
    tables = routes(EAST_WEST, {"from": ["west"], "to": ["east"]})
    assert told(*tables, observing=["group_mirror"]) == []


# --- for any routes --------------------------------------------------------------------------------

WORDS = ("a", "b", "ab", "abb")
CHATS = (["east"], ["west"], ["north"], ["east", "west"], ["all"])
CONDITIONS: dict[str, tuple[Any, ...]] = {
    "contains": (["a"], ["ab"], ["ab", "b"]),
    "not_contains": (["b"], ["abb"]),
    "senders": (["1111111"], ["1111111", "2222222"]),
    "not_senders": (["3333333"],),
    "types": (["text"], ["text", "picture"]),
    "hours": ("09:00-18:00", "08:00-20:00"),
    "late": ("skip",),
    "include_own": (True,),
    "enabled": (False,),
    "observe": (True,),
    "mode": ("attributed",),
}


def some_route(chance: Random) -> Row:
    """A route on few conditions."""
    row: Row = {
        key: chance.choice(CONDITIONS[key]) for key in chance.sample(sorted(CONDITIONS), chance.randint(0, 2))
    }
    if chance.random() < 0.3:
        return {**row, "between": chance.choice(CHATS[3:])}
    source = chance.choice(CHATS)
    return {**row, "from": source, "to": chance.choice([chats for chats in CHATS if chats != source])}


def some_message(chance: Random, chat: str = "") -> Message:
    """Anything that may be said in one of the three rooms."""
    return message(
        "".join(chance.choices(WORDS, k=chance.randint(0, 2))),
        chat=chat or chance.choice((EAST, WEST, NORTH)),
        sender=chance.choice(("1111111", "2222222", "3333333")),
        type=chance.choice(("text", "text", "picture")),
        own=chance.random() < 0.2,
        late=chance.random() < 0.2,
        time=dt.datetime(2026, 11, 16, chance.randrange(24), tzinfo=dt.UTC),
    )


def reached(settings: object, said: Message) -> set[str]:
    """The chats to which the message goes."""
    made = [each for each in decided("group_mirror", settings, said) if not isinstance(each, Would)]
    return {chat for each in made for chat in getattr(each, "to", None) or [each.chat]}


@pytest.mark.parametrize("seed", range(4))
def test_nothing_goes_along_a_route_that_is_told_to_be_shadowed(seed: int) -> None:
    chance, looked = Random(seed), 0
    for _ in range(40):
        rows = [some_route(chance) for _ in range(chance.randint(2, 6))]
        dead = {
            at[7:-1]
            for at, code in told(*routes(*rows))
            if code in ("shadowed", "never_true") and at[-1] == "]"
        }
        looked += len(dead)
        settings = read("group_mirror", "routes", rows)
        for said in (some_message(chance) for _ in range(60 if dead else 0)):
            assert not dead & named(decided("group_mirror", settings, said))
    assert looked > 10


@pytest.mark.parametrize("seed", range(4))
def test_a_narrower_copy_of_an_earlier_route_is_found(seed: int) -> None:
    chance = Random(seed)
    for _ in range(20):
        rows = [some_route(chance) for _ in range(4)]
        for key in ("enabled", "observe"):
            rows[1].pop(key, None)
        rows.append({**rows[1], "mode": "attributed", "late": "skip"})
        assert ("routes[4]", "shadowed") in told(*routes(*rows))
