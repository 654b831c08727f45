"""The keys of [[plugins.keyword_reply.rules]], each by what it does."""

from __future__ import annotations

import json

import pytest
from bots import EAST, NORTH, WEST, Row, deliveries, entry, make_bot, receive, rule

from relay.errors import ConfigurationError


def toml(*rules: Row) -> str:
    """The rules as they stand in bot.toml."""
    tables = []
    for number, keys in enumerate(rules):
        named = {"name": f"rule {number}", **keys}
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in named.items()]
        tables.append("[[plugins.keyword_reply.rules]]\n" + "\n".join(lines))
    return "\n".join(tables)


async def decided(text: str, *rules: Row, **said: str) -> list[tuple[str, str]]:
    """Kind and target of what a text leads to."""
    async with make_bot(toml(*rules), configured=True) as bot:
        await receive(bot, entry("1", text, **said))
        await bot.router.drain()
        return [(str(row["kind"]), str(row["target"])) for row in await deliveries(bot)]


@pytest.mark.parametrize(
    ("words", "text", "matches"),
    [
        ({"contains": ["价格", "报价"]}, "请问报价单", True),
        ({"contains": ["价格"]}, "价 格", False),
        ({"contains": ["price"]}, "The PRICE?", True),
        ({"contains": ["ＰＲＩＣＥ"]}, "price", True),
        ({"contains": ["strasse"]}, "Straße", True),
        ({"equals": ["hi"]}, " HI ", True),
        ({"equals": ["hi"]}, "hi there", False),
        ({"prefix": ["/help"]}, " /Help me", True),
        ({"prefix": ["/help"]}, "what is /help", False),
        ({"equals": ["x"], "contains": ["y"]}, "a y", True),
        ({}, "anything", True),
    ],
)
@rule
async def test_one_word_of_one_list_must_match(words: Row, text: str, matches: bool) -> None:
    assert await decided(text, {"reply": "ten", **words}) == [("send", EAST)] * matches


@rule
async def test_chats_say_where_a_rule_holds() -> None:
    keys = {"contains": ["hi"], "chats": [WEST], "reply": "x"}
    assert await decided("hi", keys) == []
    assert await decided("hi", keys, chat_wxid=WEST) == [("send", WEST)]


@rule
async def test_a_rule_that_is_not_enabled_does_nothing() -> None:
    assert await decided("hi", {"contains": ["hi"], "reply": "x", "enabled": False}) == []


@rule
async def test_reply_goes_to_the_messages_own_chat_and_forward_to_to_others() -> None:
    keys = {"contains": ["hi"], "reply": "x", "forward_to": [WEST, NORTH, EAST]}
    assert await decided("hi", keys) == [("send", EAST), ("forward", WEST), ("forward", NORTH)]


@rule
async def test_the_first_rule_that_matches_is_the_last_unless_it_says_otherwise() -> None:
    second = {"contains": ["hi"], "reply": "y"}
    assert await decided("hi", {"contains": ["hi"], "reply": "x"}, second) == [("send", EAST)]
    goes_on = {"contains": ["hi"], "reply": "x", "stop": False}
    assert await decided("hi", goes_on, second) == [("send", EAST), ("send", EAST)]


@rule
async def test_only_texts_are_looked_at() -> None:
    assert await decided("hi", {"reply": "x"}, msg_type="link") == []


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ([{"contains": ["x"]}], "`reply` or `forward_to`"),
        ([{"name": "", "reply": "x"}], "name"),
        ([{"name": "x", "reply": "x"}, {"name": "x", "reply": "x"}], "two rules are called 'x'"),
        ([{"reply": "x", "forward_to": ["nowhere"]}], "nowhere"),
        ([{"reply": "x", "contians": ["y"]}], "contians"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rules: list[Row], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_bot(toml(*rules))
