"""Thousands of rules: what is linted is compared with a few, not with all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import count

import pytest
from linting.tables import Row, rules

from relay.linting.scopes import Scope
from relay.linting.shadows import shadows
from relay.linting.spread import fan_out
from relay.linting.surroundings import Surroundings
from relay.linting.table import Table

ODD: dict[str, Callable[[int], Row]] = {
    "words of their own": lambda n: {"contains": [f"word{n}", f"thing{n}"], "prefix": [f"p{n}"]},
    "one word, a chat each": lambda n: {"contains": ["price"], "chats": [f"R:{n}"]},
    "one word, a sender each": lambda n: {"contains": ["price"], "senders": [f"78813{n:09}"]},
    "one word, a chat, a sender each": lambda n: {
        "contains": ["x"],
        "chats": ["R:1"],
        "senders": [f"78813{n:09}"],
    },
    "one group of words": lambda n: {"contains_all": ["price", f"word{n}"]},
    "one group, a sender each": lambda n: {"contains_all": ["a", "b"], "senders": [f"78813{n:09}"]},
    "patterns": lambda n: {"regex": [f"order {n}"]},
    "prefixes of many lengths": lambda n: {"prefix": ["p" * (n % 200 + 1) + str(n)]},
}


def steps(tables: list[Table], compare: Callable[[list[Table]], Iterable[object]] = shadows) -> int:
    """How many calls it takes to compare them."""
    counter = count()

    def step(frame: object, event: str, argument: object) -> None:
        if event == "call":
            next(counter)

    sys.setprofile(step)
    try:
        list(compare(tables))
    finally:
        sys.setprofile(None)
    return next(counter)


@pytest.mark.parametrize("name", ODD)
def test_twice_as_many_rules_take_about_twice_as_long(name: str) -> None:
    tables = rules(*map(ODD[name], range(300)))
    few, many = steps(tables[:150]), steps(tables)
    assert many < 2.6 * few


def test_scopes_of_a_thousand_chats_each_are_compared_by_one_of_them() -> None:
    tables = rules(*({"contains": ["x"], "chats": [f"R:{n}" for n in range(m, m + 1000)]} for m in range(20)))
    assert list(shadows(tables)) == []
    assert len({Scope.of(table.selection) for table in tables}) == 20


@pytest.mark.parametrize("stop", [True, False])
def test_what_many_rules_send_is_counted_in_a_bounded_number_of_steps(stop: bool) -> None:
    forwarding = {"chats": ["R:1"], "stop": stop, "reply": ""}
    tables = rules(*({**forwarding, "equals": [f"w{n}"], "forward_to": [f"R:{n}"]} for n in range(2, 202)))
    around = Surroundings(per_minute=30)
    few, many = (steps(some, lambda each: fan_out(each, around)) for some in (tables[:100], tables))
    assert many < 2.6 * few
