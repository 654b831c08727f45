from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.json_texts import values

from relay.wire.answers import (
    Token,
    read_answer,
    read_pages,
    read_records,
    read_sent,
    read_strings,
    read_token,
)

ERRCODES = {
    b'{"errcode":0}': 0,
    b'{"errcode":"407"}': 407,
    b'{"errcode": 1001 ,"x":NaN}': 1001,
    b'\xef\xbb\xbf {"errcode":-1}\n': -1,
    b'{"errcode":null}': None,
    b'{"errcode":true}': None,
    b'{"errcode":"no"}': None,
    b'{"errcode":0.5}': None,
    b'{"errcode":%b}' % (b"9" * 5000): None,
    b'{"errcode":0': None,
    b'{"errcode":0}<html>': None,
    b"[0]": None,
    b"<html>": None,
    b"": None,
}


@pytest.mark.parametrize("body", ERRCODES, ids=lambda body: body[:30].decode("latin-1"))
def test_an_errcode_is_read_or_missing(body: bytes) -> None:
    assert read_answer(200, body).errcode == ERRCODES[body]


@given(st.binary(max_size=30) | values(odd=True).map(str.encode))
def test_any_answer_can_be_read(body: bytes) -> None:
    answer = read_answer(502, body)
    assert answer.status == 502
    read_token(answer), read_sent(answer), read_records(answer), read_strings(answer), read_pages(answer)


@pytest.mark.parametrize("body", [b'{"message":"no"}', b'{"errmsg":"no"}', b'{"message":null,"errmsg":"no"}'])
def test_the_platforms_words_stand_in_message_or_errmsg(body: bytes) -> None:
    assert read_answer(200, body).message == "no"


def test_words_are_bounded_and_can_be_stored() -> None:
    assert read_answer(200, rb'{"message":"\ud800%b"}' % (b"x" * 9999)).message == "\ufffd" + "x" * 499


def test_a_token_stands_in_data_or_at_the_root() -> None:
    token = Token("t", 60)
    assert read_token(read_answer(200, b'{"errcode":0,"data":{"access_token":"t","expires_in":60}}')) == token
    assert read_token(read_answer(200, b'{"errcode":0,"access_token":"t","expires_in":"60"}')) == token
    assert read_token(read_answer(200, b'{"access_token":"t"}')) == Token("t", 7200)
    assert read_token(read_answer(200, b'{"data":{"access_token":""}}')) is None


def test_a_token_is_not_shown() -> None:
    answer = read_answer(200, b'{"data":{"access_token":"s3cret"}}')
    assert "s3cret" not in repr(answer) + repr(read_token(answer))


def test_what_was_sent_is_keyed_by_idx() -> None:
    body = b'{"data":[{"idx":"1","api_send_svrid":"a,b"},{"idx":0,"api_send_svrid":"c"},{"idx":"x"},5]}'
    assert read_sent(read_answer(200, body)) == {1: "a,b", 0: "c"}
    assert read_sent(read_answer(200, b'{"data":{"idx":0,"api_send_svrid":"c"}}')) == {0: "c"}
    assert read_sent(read_answer(200, b'{"data":null}')) == {}


@pytest.mark.parametrize("data", [b"[%b]", b'{"records":[%b],"n":1}'])
def test_records_are_texts(data: bytes) -> None:
    body = b'{"data":%b}' % data % b'{"id":5,"wxid":"1688","nickname":null,"tags":[1]},7'
    assert read_records(read_answer(200, body)) == ({"id": "5", "wxid": "1688", "nickname": "", "tags": ""},)


def test_lists_of_strings() -> None:
    assert read_strings(read_answer(200, b'{"data":["1.2.3.4","",5]}')) == ("1.2.3.4", "5")
    answer = read_answer(200, b'{"data":{"rel_wxids":["1688"],"room_wxids":["R:1"]}}')
    assert read_strings(answer, "room_wxids") == ("R:1",)
    assert read_strings(answer, "other") == ()


def test_the_number_of_pages() -> None:
    assert read_pages(read_answer(200, b'{"data":[],"pager":{"numPages":"3"}}')) == 3
    assert read_pages(read_answer(200, b'{"data":{"pager":{"numPages":3}}}')) == 3
    assert read_pages(read_answer(200, b"{}")) == 0
