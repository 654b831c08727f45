"""The keys of [[plugins.group_mirror.routes]], each by what it does."""

from __future__ import annotations

import json

import pytest
from bots import ANN, EAST, NORTH, WEST, Row, deliveries, entry, make_bot, receive, rule

from relay.errors import ConfigurationError

ALL = [EAST, WEST, NORTH]


def toml(*routes: Row) -> str:
    """The routes as they stand in bot.toml."""
    tables = []
    for number, route in enumerate(routes):
        keys = {"name": f"route {number}", **route}
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
        tables.append("[[plugins.group_mirror.routes]]\n" + "\n".join(lines))
    return '[chats]\neast = "' + EAST + '"\nothers = ["' + WEST + '", "' + NORTH + '"]\n' + "\n".join(tables)


async def reached(said: Row, *routes: Row) -> list[str]:
    """The chats that get a message."""
    async with make_bot(toml(*routes), configured=True) as bot:
        await receive(bot, entry("1", **said))
        await bot.router.drain()
        rows = await deliveries(bot)
        assert {row["kind"] for row in rows} <= {"forward"}
        return [str(row["target"]) for row in rows]


@pytest.mark.parametrize(
    ("route", "chat", "targets"),
    [
        ({"from": [EAST], "to": [WEST, NORTH]}, EAST, [WEST, NORTH]),
        ({"from": [EAST], "to": [WEST]}, WEST, []),
        ({"from": ["east"], "to": ["others"]}, EAST, [WEST, NORTH]),
        ({"from": [EAST, WEST], "to": [WEST, NORTH]}, WEST, [NORTH]),
        ({"from": [ANN], "to": [EAST]}, ANN, [EAST]),
        ({"between": ALL}, EAST, [WEST, NORTH]),
        ({"between": ALL}, NORTH, [EAST, WEST]),
        ({"between": [EAST, WEST]}, NORTH, []),
        ({"between": ALL, "enabled": False}, EAST, []),
    ],
)
@rule
async def test_from_to_and_between_say_what_goes_where(route: Row, chat: str, targets: list[str]) -> None:
    assert await reached({"chat_wxid": chat}, route) == targets


@pytest.mark.parametrize(
    ("keys", "msg_type", "passes"),
    [
        ({}, "text", True),
        ({}, "merge", True),
        ({}, "system", False),
        ({}, "revoke", False),
        ({"not_types": []}, "revoke", True),
        ({"not_types": ["text"]}, "text", False),
        ({"types": ["text", "link"]}, "link", True),
        ({"types": ["text", "link"]}, "picture", False),
    ],
)
@rule
async def test_types_and_not_types_say_what_goes_at_all(keys: Row, msg_type: str, passes: bool) -> None:
    assert await reached({"msg_type": msg_type}, {"between": [EAST, WEST], **keys}) == [WEST] * passes


@rule
async def test_routes_that_overlap_reach_a_chat_once() -> None:
    assert await reached({}, {"between": ALL}, {"from": [EAST], "to": [WEST]}) == [WEST, NORTH]


@pytest.mark.parametrize(
    ("routes", "complaint"),
    [
        ([{"between": ALL, "to": [WEST]}], "either `from` and `to`, or `between`"),
        ([{}], "either `from` and `to`, or `between`"),
        ([{"from": [EAST]}], "both `from` and `to`"),
        ([{"between": [EAST]}], "at least two chats"),
        ([{"between": ALL, "name": ""}], "name"),
        ([{"between": ALL, "name": "x"}, {"between": ALL, "name": "x"}], "two routes are called 'x'"),
        ([{"between": ["nowhere", EAST]}], "nowhere"),
        ([{"between": ALL, "tpyes": ["text"]}], "tpyes"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused(routes: list[Row], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_bot(toml(*routes))
