"""What routes do together, and rules that forward with them."""

from __future__ import annotations

import pytest
from linting.tables import EAST, NORTH, WEST, Row, found, routes, rules, told

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
