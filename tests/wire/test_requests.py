from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire.json_texts import values

from relay.wire import requests
from relay.wire.content import TYPES
from relay.wire.entries import REFUSED
from relay.wire.notifications import read_notifications
from relay.wire.requests import OutgoingMessage, forward_body, message_body, send_body, token_body
from relay.wire.spans import elements, members, value_end


def forward(entry: bytes) -> bytes:
    return forward_body(app_id="app", token="tok", account="1688", targets=["7881", "R:1"], entry=entry)


def forwarded(body: bytes) -> dict[str, bytes]:
    """Find the parts of the one message in a forward's body, by span."""
    assert value_end(body) == len(body)
    begin, _ = members(body)["messages"]
    ((begin, end),) = elements(body, begin)
    return {name: body[a:b] for name, (a, b) in members(body[:end], begin).items()}


def entry_of(kind: str, content: str, time: str, more: str) -> bytes:
    return f'{{"msg_type":"{kind}", "more": {more}, "content": {content} ,"msg_time":{time}}}'.encode()


TIMES = st.sampled_from(["1700000000123", "1700000000123.0", "1.7E12", '"1700000000123"', "9" * 5000, "null"])


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=12)
@given(content=values(odd=False), time=TIMES, more=values(odd=False))
def test_a_forward_is_verbatim(kind: str, content: str, time: str, more: str) -> None:
    raw = entry_of(kind, content, time, more)
    expected = {"msg_type": f'"{kind}"'.encode(), "content": content.encode(), "msg_time": time.encode()}
    assert forwarded(forward(raw)) == expected


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=12)
@given(content=values(odd=True), more=values(odd=True))
def test_a_forward_is_verbatim_through_the_callback(kind: str, content: str, more: str) -> None:
    raw = entry_of(kind, content, "1700000000123", more)
    callback = b'[{"type":"chatMsg ","data":[{"content":NaN},%b,{"content":1}]}]' % raw
    entry = read_notifications(callback).entries[1]
    assert entry.raw == raw
    assert forwarded(forward(entry.raw))["content"] == content.encode()


@given(values(odd=False), TIMES)
def test_both_ways_find_the_same_bytes(content: str, time: str) -> None:
    raw = entry_of("text", content, time, "1")
    read = requests._decode_forwarded(raw)
    fast = [bytes(read.msg_type), bytes(read.content), bytes(read.msg_time)]
    assert fast == [value for _, value in requests._forwarded_slowly(raw)]


ONLY_SLOW = [rb'{"a":"\ud800"}', b'{"a":NaN}', b"[" * 100_000 + b"]" * 100_000, b'"\x01"']


@pytest.mark.parametrize("content", ONLY_SLOW, ids=range(len(ONLY_SLOW)))
def test_what_the_fast_way_refuses_is_forwarded_all_the_same(content: bytes) -> None:
    raw = b'{"msg_type":"merge","content":%b,"msg_time":1}' % content
    with pytest.raises(REFUSED):
        requests._decode_forwarded(raw)
    assert forwarded(forward(raw)) == {"msg_type": b'"merge"', "content": content, "msg_time": b"1"}


@pytest.mark.parametrize("odd", ["1", "NaN"], ids=["fast", "slow"])
def test_a_large_merge_is_verbatim(odd: str) -> None:
    item = '{"svrid": 12345678901234567890123, "x":1.10, "text":"\\u4f60你\\/", "x":[ ] }'
    content = '{"list":[' + ",\n".join([item] * 3000) + f'],"odd":{odd}}}'
    assert len(content) > 200_000
    assert forwarded(forward(entry_of("merge", content, "1", "0")))["content"] == content.encode()


def test_broken_utf8_is_forwarded_as_it_came() -> None:
    raw = b'{"content":{"items":[{"text":"\xff\xed\xa0\x80"}]}}'
    assert forwarded(forward(raw)) == {"content": b'{"items":[{"text":"\xff\xed\xa0\x80"}]}'}


def test_what_an_entry_lacks_is_left_out() -> None:
    assert forwarded(forward(b'{"msg_type":"text"}')) == {"msg_type": b'"text"'}


@pytest.mark.parametrize("entry", [b"[]", b"1", b"", b'{"content":'])
def test_only_an_object_can_be_forwarded(entry: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        forward(entry)


def test_a_forward_says_who_forwards_where() -> None:
    read = json.loads(forward(b'{"msg_type":"text","content":{},"msg_time":1}'))
    message = {"msg_type": "text", "content": {}, "msg_time": 1}
    head = {"app_id": "app", "access_token": "tok", "wxid": "1688", "chat_wxids": ["7881", "R:1"]}
    assert read == {**head, "messages": [message]}


def test_a_send_carries_an_id_for_every_message() -> None:
    messages = [
        OutgoingMessage(
            message_body("text", {"items": [{"type": "text", "text": "你"}]}, 1700000000), "d1.1"
        ),
        OutgoingMessage(b' { "msg_type":"picture", "content":{"x":1.10} }\n', "d2.3"),
    ]
    body = send_body(app_id="app", token="tok", account="1688", target="R:1", messages=messages)
    assert b'"content":{"x":1.10}' in body
    first = {
        "msg_type": "text",
        "content": {"items": [{"type": "text", "text": "你"}]},
        "delayed_time": 1700000000,
    }
    assert json.loads(body) == {
        "app_id": "app",
        "access_token": "tok",
        "wxid": "1688",
        "target_wxid": "R:1",
        "messages": [
            {**first, "api_send_id": "d1.1"},
            {"msg_type": "picture", "content": {"x": 1.1}, "api_send_id": "d2.3"},
        ],
    }


def test_an_empty_message_gets_its_id_too() -> None:
    body = send_body(
        app_id="a", token="t", account="1", target="2", messages=[OutgoingMessage(b"{ }", "1.1")]
    )
    assert json.loads(body)["messages"] == [{"api_send_id": "1.1"}]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"", b"{"])
def test_a_message_to_send_is_an_object(body: bytes) -> None:
    with pytest.raises(ValueError, match="object"):
        send_body(app_id="a", token="t", account="1", target="2", messages=[OutgoingMessage(body, "1.1")])


def test_a_token_is_asked_for_in_the_platforms_spelling() -> None:
    assert json.loads(token_body("app", "s3")) == {
        "app_id": "app",
        "app_secret": "s3",
        "grand_type": "client_credentials",
    }


def test_what_is_sent_is_strict_json() -> None:
    assert (
        message_body("text", {"text": "\ud800"}) == '{"msg_type":"text","content":{"text":"\ufffd"}}'.encode()
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        message_body("text", {"x": float("nan")})
