"""The keys of [[plugins.group_mirror.routes]], each by what it does."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from bots import ANN, BEN, EAST, NORTH, ONE, TWO, WEST, Row, deliveries, entry, make_bot, receive, rule, said
from plugins.lists import routes

from relay.testing import Bot

ALL = [EAST, WEST, NORTH]
BETWEEN = {"between": [EAST, WEST]}
TEXT = {"items": [{"type": "text", "text": "hi"}]}


async def reached(said: Row, *tables: Row) -> list[str]:
    """The chats that get a message."""
    async with make_bot(routes(*tables), configured=True) as bot:
        await receive(bot, entry("1", **said))
        await bot.router.drain()
        rows = await deliveries(bot)
        assert {row["kind"] for row in rows} <= {"forward"}
        return [str(row["target"]) for row in rows]


async def passes(route: Row, **said: object) -> bool:
    """Whether a route between East and West lets a message pass."""
    return await reached(said, {**BETWEEN, **route}) == [WEST]


def at(time: str) -> int:
    """So many milliseconds, on a Friday in Shanghai."""
    moment = dt.datetime.fromisoformat(f"2023-11-17T{time}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return int(moment.timestamp() * 1000)


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
        ({"between": ["east", "others"]}, NORTH, [EAST, WEST]),
        (BETWEEN, NORTH, []),
        ({"between": ALL, "enabled": False}, EAST, []),
    ],
)
@rule
async def test_from_to_and_between_say_what_goes_where(route: Row, chat: str, targets: list[str]) -> None:
    assert await reached({"chat_wxid": chat}, route) == targets


@pytest.mark.parametrize(
    ("keys", "msg_type", "goes"),
    [
        ({}, "text", True),
        ({}, "merge", True),
        ({}, "system", False),
        ({}, "revoke", False),
        ({"not_types": []}, "revoke", True),
        ({"not_types": ["text"]}, "text", False),
        ({"types": ["text", "link"]}, "link", True),
        ({"types": ["text", "link"]}, "picture", False),
        ({"types": ["system", "text"], "not_types": ["system"]}, "system", False),
        ({"types": ["poll"]}, "poll", True),
    ],
)
@rule
async def test_types_and_not_types_say_what_goes_at_all(keys: Row, msg_type: str, goes: bool) -> None:
    assert await passes(keys, msg_type=msg_type) is goes


@pytest.mark.parametrize(
    ("keys", "goes"),
    [
        ({"senders": [ANN]}, True),
        ({"senders": [BEN]}, False),
        ({"not_senders": [ANN]}, False),
        ({"not_senders": [BEN]}, True),
        ({"senders": [ANN, BEN], "not_senders": [ANN]}, False),
    ],
)
@rule
async def test_senders_and_not_senders_say_whose_messages_go(keys: Row, goes: bool) -> None:
    assert await passes(keys, from_wxid=ANN) is goes


@pytest.mark.parametrize(
    ("keys", "content", "msg_type", "goes"),
    [
        ({"contains": ["ＨＩ"]}, TEXT, "text", True),
        ({"contains": ["a", "h"]}, TEXT, "text", True),
        ({"contains": ["ho"]}, TEXT, "text", False),
        ({"not_contains": ["Hi"]}, TEXT, "text", False),
        ({"not_contains": ["ho"]}, TEXT, "text", True),
        ({"contains": ["h"], "not_contains": ["i"]}, TEXT, "text", False),
        ({"contains": ["h"]}, {"url": "https://h"}, "picture", False),
        ({"not_contains": ["h"]}, {"url": "https://h"}, "picture", True),
        ({"contains": ["h"]}, {"text": "hi"}, "announcement", True),
    ],
)
@rule
async def test_contains_and_not_contains_look_at_the_text(
    keys: Row, content: Row, msg_type: str, goes: bool
) -> None:
    assert await passes(keys, content=content, msg_type=msg_type) is goes


@pytest.mark.parametrize(
    ("keys", "time", "goes"),
    [
        ({"hours": "09:00-18:00"}, "09:00", True),
        ({"hours": "09:00-18:00"}, "18:00", False),
        ({"hours": "22:00-06:00", "days": ["thu"]}, "05:59", True),
        ({"hours": "22:00-06:00", "days": ["fri"]}, "05:59", False),
        ({"days": ["fri"]}, "00:00", True),
        ({"days": ["sat", "sun"]}, "12:00", False),
    ],
)
@rule
async def test_hours_and_days_are_those_of_the_message(keys: Row, time: str, goes: bool) -> None:
    assert await passes(keys, msg_time=at(time)) is goes


@rule
async def test_routes_that_overlap_reach_a_chat_once() -> None:
    assert await reached({}, {"between": ALL}, {"from": [EAST], "to": [WEST]}) == [WEST, NORTH]


@rule
async def test_a_chat_that_an_attributed_route_serves_gets_nothing_from_a_later_one() -> None:
    async with make_bot(routes({**BETWEEN, "mode": "attributed"}, {"between": ALL}), configured=True) as bot:
        await receive(bot, entry())
        await bot.router.drain()
        found = [(row["kind"], row["target"]) for row in await deliveries(bot)]
        assert found == [("send", WEST), ("forward", NORTH)]


# -- attributed ----------------------------------------------------------------


async def attributed(bot: Bot) -> None:
    await bot.work()
    await bot.store.write_names([(ANN, "Ann"), (EAST, "East"), (ONE, "One")])
    bot.simulator.say(EAST, ANN, "{sender}\nhi")
    await bot.work()


@rule
async def test_an_attributed_text_says_who_wrote_it_where() -> None:
    toml = routes({**BETWEEN, "mode": "attributed", "attribution": "{sender}@{chat} ({account}):\n"})
    async with make_bot(toml) as bot:
        await attributed(bot)
        assert said(bot, WEST) == ["Ann@East (One):\n{sender}\nhi"]


@rule
async def test_the_attribution_is_sender_at_chat_unless_told_otherwise() -> None:
    async with make_bot(routes({**BETWEEN, "mode": "attributed"})) as bot:
        await attributed(bot)
        assert said(bot, WEST) == ["Ann@East:{sender}\nhi"]


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [("picture", b'{"url": "https://x/y.png", "unknown": 1.50}'), ("announcement", b'{"text": "hi"}')],
)
@rule
async def test_other_types_follow_their_attribution_as_received(msg_type: str, content: bytes) -> None:
    async with make_bot(routes({**BETWEEN, "mode": "attributed"})) as bot:
        await bot.work()
        bot.simulator.post(EAST, ANN, msg_type, content)
        await bot.work()
        assert [row["kind"] for row in await deliveries(bot)] == ["send", "forward"]
        first, second = bot.simulator.ledger.in_chat(WEST)
        assert (first.msg_type, second.msg_type, second.content) == ("text", msg_type, content)


@pytest.mark.parametrize("attribution", ["", " \n", "{text}"])
@rule
async def test_an_attribution_that_is_empty_once_filled_in_is_left_out(attribution: str) -> None:
    toml = routes({**BETWEEN, "mode": "attributed", "attribution": attribution})
    async with make_bot(toml) as bot:
        await bot.work()
        bot.simulator.post(EAST, ANN, "picture", b'{"url": "https://x/y.png"}')
        await bot.work()
        assert [row["kind"] for row in await deliveries(bot)] == ["forward"]
        assert [said.msg_type for said in bot.simulator.ledger.in_chat(WEST)] == ["picture"]


# -- accounts and own messages --------------------------------------------------


@rule
async def test_the_acting_account_forwards_unless_the_route_names_another() -> None:
    for route, account in (({}, ONE), ({"account": TWO}, TWO)):
        toml = routes({**BETWEEN, **route})
        async with make_bot(toml, accounts=(ONE, TWO), configured=True) as bot:
            await receive(bot, entry("1", wx_svrid="7"), account=ONE)
            await receive(bot, entry("2", wx_svrid="7"), account=TWO)
            await bot.router.drain()
            assert [row["account"] for row in await deliveries(bot)] == [account]


@rule
async def test_an_account_may_go_by_its_name_in_chats() -> None:
    toml = routes({**BETWEEN, "account": "two"}).replace("[chats]", f'[chats]\ntwo = "{TWO}"', 1)
    async with make_bot(toml, accounts=(ONE, TWO), configured=True) as bot:
        await receive(bot, entry("1", wx_svrid="7"), account=ONE)
        await receive(bot, entry("2", wx_svrid="7"), account=TWO)
        await bot.router.drain()
        assert [row["account"] for row in await deliveries(bot)] == [TWO]


@rule
async def test_an_attributed_text_goes_by_the_account_that_the_route_names() -> None:
    toml = routes({**BETWEEN, "mode": "attributed", "account": TWO})
    async with make_bot(toml, accounts=(ONE, TWO), configured=True) as bot:
        await receive(bot, entry(), account=ONE)
        await bot.router.drain()
        assert [(row["kind"], row["account"]) for row in await deliveries(bot)] == [("send", TWO)]


@pytest.mark.parametrize(("route", "goes"), [({"include_own": True}, True), ({}, False)])
@rule
async def test_what_staff_type_on_the_phone_goes_only_where_the_route_says_so(route: Row, goes: bool) -> None:
    other = {"name": "other", "from": [NORTH], "to": [EAST], "include_own": True}
    async with make_bot(routes({**BETWEEN, **route}, other)) as bot:
        await bot.work()
        bot.simulator.say(EAST, ONE, "from the phone")
        await bot.work()
        assert said(bot, WEST) == ["from the phone"] * goes


@rule
async def test_what_may_be_an_echo_of_ours_goes_nowhere() -> None:
    async with make_bot(routes({"between": ALL, "include_own": True})) as bot:
        await bot.work()
        bot.simulator.say(EAST, ANN, "hi")
        for _ in range(5):
            await bot.pass_time(120)
        assert [said(bot, room) for room in ALL] == [["hi"]] * 3


@rule
async def test_without_such_a_route_own_messages_reach_no_plugin_at_all() -> None:
    async with make_bot(routes(BETWEEN, {**BETWEEN, "include_own": True, "enabled": False})) as bot:
        await bot.work()
        bot.simulator.say(EAST, ONE, "from the phone")
        await bot.work()
        (row,) = await bot.store.messages(limit=10)
        assert row["state"] == "skipped"
