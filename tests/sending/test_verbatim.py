"""A forward carries `content` byte for byte as received (contract 4.4)."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from bots import ANN, EAST, MIRROR, WEST, make_bot, rule, states
from hypothesis import given, settings
from hypothesis import strategies as st
from wire.json_texts import SPACE, values

from relay.wire.content import TYPES

ODD = {
    "numbers": rb'{"a":1.10,"b":12345678901234567890123,"c":-0.0,"d":1E400,"e":1e5,"f":NaN,"g":-Infinity}',
    "escapes": rb'{"text":"\u4f60\/\u0000","half":"\ud800","low":"\udfff\ud83d"}',
    "order and repeats": rb'{"z":1,"a":2,"z":3}',
    "space": b'{ "a" :\t[ 1 ,\n2 ] }',
    "unknown fields": '{"items":[{"type":"表情","x":{"y":[null,true]}}],"未来":{}}'.encode(),
    "a string": rb'"{\"items\":[]}"',
    "nothing": b"null",
    "depth": b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "a merge of 200 KB": b'{"items":[' + b",".join([rb'{"text":"\u597d","n":1.0}'] * 8000) + b"]}",
    "api_send inside": rb'{"api_send_id":"x","extra":{"api_send_svrid":"y"}}',
}


async def arrives(content: bytes, msg_type: str) -> bool:
    async with make_bot(MIRROR.replace("between", "not_types = []\nbetween"), configured=True) as bot:
        bot.simulator.post(EAST, ANN, msg_type, content)
        await bot.work()
        [copy] = bot.simulator.ledger.in_chat(WEST)
        await bot.pass_time(60)
        return (copy.msg_type, copy.content, await states(bot)) == (msg_type, content, ["delivered"])


@pytest.mark.parametrize("name", ODD)
@rule
async def test_odd_content_arrives_as_it_was_posted(name: str) -> None:
    assert await arrives(ODD[name], "merge" if "merge" in name else "text")


@pytest.mark.parametrize("msg_type", TYPES)
@rule
async def test_every_type_is_forwarded_as_it_came(msg_type: str) -> None:
    assert await arrives(b'{"url":"u","n":1.10}', msg_type)


@settings(max_examples=25, deadline=None)
@given(text=values(odd=True), space=SPACE, msg_type=st.sampled_from(TYPES))
def test_any_json_arrives_as_it_was_posted(text: str, space: str, msg_type: str) -> None:
    with structlog.testing.capture_logs():
        assert asyncio.run(arrives(f'{{"x":{space}{text}}}'.encode(), msg_type))
