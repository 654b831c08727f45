"""Which messages a handler gets: every filter that it names must hold, and the trace says which did not."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, ONE, WEST, make_bot, rule, said
from hypothesis import given
from hypothesis import strategies as st

from relay import Message, Plugin
from relay.authoring.choice import Choice
from relay.errors import PluginError

TIME = dt.datetime(2026, 1, 5, 9, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def message(text: str = "hi", **more: Any) -> Message:
    raw = json.dumps({"content": {"items": [{"type": "text", "text": text}]}}).encode()
    given = {"chat": EAST, "chat_type": "room", "sender": ANN, "type": "text", **more}
    return Message(id="m1", svrid="1", account=ONE, time=TIME, raw=raw, **given)


def resolve(name: str) -> tuple[str, ...]:
    if name == "both":
        return (EAST, WEST)
    if name.startswith(("R:", "788")):
        return (name,)
    raise ValueError(f"{name} is no chat")


def choice(**filters: Any) -> Choice:
    plugin = Plugin("p")
    plugin.on_message(**filters)(lambda message, ctx: None)
    return plugin.bound(None, resolve).messages[0][1]


@pytest.mark.parametrize(
    ("filters", "seen", "refusal"),
    [
        ({"types": ["link", "text"]}, {"type": "voice"}, "types: voice is not among link, text"),
        ({"chat_type": "private"}, {}, "chat_type: room, not private"),
        ({"chats": ["both"]}, {"chat": "R:3"}, f"chats: R:3 is not among {EAST}, {WEST}"),
        ({"senders": ANN}, {"sender": BEN}, f"senders: {BEN} is not among {ANN}"),
        ({"contains": ["价格", "报价"]}, {"text": "hello"}, "contains: none of 价格, 报价"),
        ({"contains": "价格"}, {"type": "voice"}, "type voice has no text to look into"),
        ({"regex": r"^\d+$"}, {"text": "x"}, r"regex: no match of ^\d+$"),
        ({}, {"own": True}, "own, and include_own is not set"),
    ],
)
def test_the_first_condition_that_fails_is_told_with_the_value_seen(
    filters: dict[str, Any], seen: dict[str, Any], refusal: str
) -> None:
    assert choice(**filters).ask(message(**seen)) == refusal


@pytest.mark.parametrize(
    ("filters", "seen", "groups"),
    [
        ({}, {}, {}),
        ({"include_own": True}, {"own": True}, {}),
        ({"chats": "both", "senders": [ANN], "chat_type": "room", "types": "text"}, {}, {}),
        ({"contains": "ＰＲＩＣＥ"}, {"text": "the price?"}, {}),
        ({"regex": r"订单 ?(?P<no>\d+)"}, {"text": "订单 17 呢"}, {"no": "17"}),
        ({"regex": ["(?P<a>x)", "(?P<b>y)(?P<c>z)?"]}, {"text": "y"}, {"b": "y", "c": ""}),
    ],
)
def test_a_message_that_meets_them_all_comes_with_the_groups(
    filters: dict[str, Any], seen: dict[str, Any], groups: dict[str, str]
) -> None:
    assert choice(**filters).ask(message(**seen)) == groups


def test_an_unknown_chat_is_refused_with_the_handlers_place() -> None:
    with pytest.raises(PluginError, match="chats: nowhere is no chat") as caught:
        choice(chats=["nowhere"])
    assert caught.value.file == __file__
    assert caught.value.line is not None


WORDS = st.text("abＡ价 ", min_size=1, max_size=3).filter(str.strip)
SOME = st.lists(WORDS, max_size=2)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def wanted(filters: Mapping[str, Any], seen: Message) -> bool:
    """The same by what the documentation says, filter by filter."""
    return all(
        (
            not seen.own or filters["include_own"],
            not filters["types"] or seen.type in filters["types"],
            filters["chat_type"] in ("any", seen.chat_type),
            not filters["chats"] or seen.chat in {w for name in filters["chats"] for w in resolve(name)},
            not filters["senders"] or seen.sender in filters["senders"],
            not filters["contains"] or any(folded(w) in folded(seen.text) for w in filters["contains"]),
            not filters["regex"] or any(re.search(p, seen.text) and seen.text for p in filters["regex"]),
        )
    )


@given(
    filters=st.fixed_dictionaries(
        {
            "include_own": st.booleans(),
            "types": st.lists(st.sampled_from(["text", "voice"]), max_size=2),
            "chat_type": st.sampled_from(["any", "room", "private"]),
            "chats": st.lists(st.sampled_from([EAST, WEST, "both"]), max_size=2),
            "senders": st.lists(st.sampled_from([ANN, BEN]), max_size=2),
            "contains": SOME,
            "regex": st.lists(st.sampled_from(["a", "b+$", "^ ", "价"]), max_size=2),
        }
    ),
    seen=st.builds(
        message,
        st.text("abAＡ价 ", max_size=6),
        own=st.booleans(),
        type=st.sampled_from(["text", "voice"]),
        chat_type=st.sampled_from(["room", "private"]),
        chat=st.sampled_from([EAST, WEST, "R:3"]),
        sender=st.sampled_from([ANN, BEN]),
    ),
)
def test_filters_agree_with_a_plain_reading_of_them(filters: dict[str, Any], seen: Message) -> None:
    assert isinstance(choice(**filters).ask(seen), str) is not wanted(filters, seen)


ORDERS = """
from relay import Plugin, Reply
plugin = Plugin("orders")

@plugin.on_message(chats=["east"], regex=r"订单 ?(?P<no>\\d+)")
def tell(message, ctx):
    return Reply("no. " + ctx.match["no"])
"""


@rule
async def test_a_whole_bot_asks_only_handlers_whose_filters_hold(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "orders.py").write_text(ORDERS, "utf-8")
    async with make_bot(f'[chats]\neast = "{EAST}"\n', folder=tmp_path, configured=True) as bot:
        for chat, text in ((EAST, "订单 17"), (WEST, "订单 18"), (EAST, "hi")):
            bot.simulator.say(chat, ANN, text)
        await bot.work()
        reasons = [(await bot.store.trace(number))[-1]["reason"] for number in (2, 3)]
        assert said(bot, EAST) == ["订单 17", "hi", "no. 17"]
        assert reasons == [f"chats: {WEST} is not among {EAST}", r"regex: no match of 订单 ?(?P<no>\d+)"]


@rule
async def test_of_several_handlers_the_trace_says_which_was_not_called(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    other = '@plugin.on_message(types=["file"])\ndef keep(message, ctx):\n    return None\n'
    (tmp_path / "plugins" / "orders.py").write_text(ORDERS + other, "utf-8")
    async with make_bot(f'[chats]\neast = "{EAST}"\n', folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hi")
        await bot.work()
        reasons = [line["reason"] for line in await bot.store.trace(1) if line["plugin"] == "orders"]
        assert reasons == [
            r"tell(): regex: no match of 订单 ?(?P<no>\d+)",
            "keep(): types: text is not among file",
        ]


@rule
async def test_handlers_behind_the_one_that_stops_are_told_to_have_been_stopped(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    text = "from relay import Plugin, Stop\nplugin = Plugin('two')\n"
    for name, returned in (("first", "Stop()"), ("second", "None")):
        text += f"@plugin.on_message()\nasync def {name}(message, ctx):\n    return {returned}\n"
    (tmp_path / "plugins" / "two.py").write_text(text, "utf-8")
    async with make_bot(folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hi")
        await bot.work()
        told = [line for line in await bot.store.trace(1) if line["plugin"] == "two"]
        assert [line["decision"] for line in told] == ["stop", "no"]
        assert told[1]["reason"] == "second(): first() stopped it before"
