"""A wrong key does not hide what is wrong with its table, or with the list that the table stands in."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import BaseModel

from plugins.group_mirror import Settings as Mirror
from plugins.keyword_reply import Settings as Replies
from relay.config import validate_settings
from relay.errors import ConfigurationError


def told(model: type[BaseModel], key: str, *tables: Mapping[str, object]) -> list[str]:
    """The paths of all problems."""
    with pytest.raises(ConfigurationError) as caught:
        validate_settings(model, {key: list(tables)}, "plugins.p")
    return [problem.path.removeprefix("plugins.p.") for problem in caught.value.problems]


def rules(*tables: Mapping[str, object]) -> list[str]:
    return told(Replies, "rules", *tables)


def routes(*tables: Mapping[str, object]) -> list[str]:
    return told(Mirror, "routes", *tables)


def test_an_unknown_key_hides_nothing_else_in_its_rule() -> None:
    rule = {"name": "a", "contain": ["a"], "reply": "{foo}", "choose": "random"}
    assert rules(rule) == ["rules[0].contain", "rules[0].choose", "rules[0].reply"]


def test_an_unknown_key_does_not_hide_a_name_used_twice() -> None:
    first, second = {"name": "a", "reply": "x"}, {"name": "a", "repply": "x"}
    assert rules(first, second) == ["rules[1].repply", "rules[1].name"]


def test_a_wrong_key_hides_nothing_else_in_its_route() -> None:
    route = {"name": "a", "from": "R:1", "to": ["nope"], "attribution": "{zzz}"}
    assert routes(route) == ["routes[0].to[0]", "routes[0].attribution"]


def test_problems_stay_with_their_rule() -> None:
    first = {"name": "a", "contains": 1, "reply": "{foo}"}
    second = {"name": "b", "repply": "x", "not_chats": "R:1", "chats": "R:1"}
    assert rules(first, second, first) == [
        "rules[0].contains",
        "rules[0].reply",
        "rules[1].repply",
        "rules[1].not_chats",
        "rules[2].contains",
        "rules[2].reply",
        "rules[2].name",
    ]


def test_a_missing_key_hides_nothing_else() -> None:
    assert rules({"reply": "{foo}"}) == ["rules[0].name", "rules[0].reply"]


@pytest.mark.parametrize(
    "rule",
    [
        {"repply": "x"},
        {"repply": ["x"], "choose": "random"},
        {"reply": ["x", 7], "choose": "random"},
        {"reply": "x", "cooldwon": "5s", "cooldown_per": "sender"},
        {"reply": "{number}", "regexx": r"(?P<number>\d+)"},
        {"reply": "{number}", "regex": [r"(?P<number>\d+"]},
    ],
)
def test_what_only_follows_from_a_bad_key_is_not_told(rule: Mapping[str, object]) -> None:
    assert len(rules({"name": "a", **rule})) == 1


def test_what_only_follows_from_a_bad_name_is_not_told() -> None:
    first, second = {"name": 7, "reply": "x"}, {"reply": "x"}
    assert rules(first, second, {"name": "b", "reply": "x"}) == ["rules[0].name", "rules[1].name"]
