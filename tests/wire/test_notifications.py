from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.json_texts import values

from relay.errors import BodyError
from relay.wire import entries
from relay.wire.notifications import Damage, Entry, Reading, read_entries, read_notifications

MESSAGE = (
    b'{"svrid":"10000000000000001","wx_svrid":"7000000000000000001","wx_msgid":"1000123",\n "client_id":""'
    b',"wxid":"1688850000000001","chat_wxid":"R:10950000000000001","chat_type":2,"from_wxid":"7881300000000001",'
    b'"to_wxid":"R:10950000000000001","msg_type":"text","content":{"items":[{"type":"text","text":"hello"}]},'
    b'"msg_time":1700000000123,"user_id":"21","sub_user_id":0,"extra":{}}'
)
ENTRY = Entry(
    kind="chatMsg",
    account="1688850000000001",
    raw=MESSAGE,
    svrid="10000000000000001",
    wx_svrid="7000000000000000001",
    wx_msgid="1000123",
    chat="R:10950000000000001",
    chat_type="room",
    sender="7881300000000001",
    recipient="R:10950000000000001",
    type="text",
    time=1700000000123,
)


def body(*parts: bytes, kind: bytes = b"chatMsg") -> bytes:
    return b'[{"type":"%b","rel_wxid":"1688850000000001","data":[%b]}]' % (kind, b",".join(parts))


def one(fields: bytes) -> Entry:
    reading = read_notifications(body(b"{%b}" % fields))
    assert reading.damaged == ()
    (entry,) = reading.entries
    assert entry.raw == b"{%b}" % fields
    return entry


ENVELOPES = {
    "as documented": body(MESSAGE),
    "data as one object": b'[{"type":"chatMsg","rel_wxid":"1688850000000001","data": %b }]' % MESSAGE,
    "a trailing space in the type": body(MESSAGE, kind=b"chatMsg "),
    "no rel_wxid": b'[{"type":"chatMsg","data":[%b]}]' % MESSAGE,
    "rel_wxid null": b'[{"type":"chatMsg","rel_wxid":null,"data":[%b]}]' % MESSAGE,
    "rel_wxid a number": b'[{"type":"chatMsg","rel_wxid":1688850000000001,"data":[%b]}]' % MESSAGE,
    "one object instead of an array": body(MESSAGE)[1:-1],
    "a BOM": b"\xef\xbb\xbf" + body(MESSAGE),
    "white space around": b"\r\n " + body(MESSAGE) + b"\n",
    "unknown fields": b'[{"corp_wxid":"19","more":[NaN],"type":"chatMsg","data":[%b]}]' % MESSAGE,
    "an escaped name": body(MESSAGE).replace(b'"type":"chatMsg"', rb'"\u0074ype":"chatMsg"'),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_every_envelope_gives_the_entry(name: str) -> None:
    assert read_notifications(ENVELOPES[name]) == Reading((ENTRY,))


def test_both_ways_read_the_same() -> None:
    assert entries._read_fast("chatMsg", "1688850000000001", MESSAGE) == ENTRY
    assert entries._read_slow("chatMsg", "1688850000000001", MESSAGE) == ENTRY


NAMES = st.sampled_from(
    [
        "wxid",
        "svrid",
        "chat_wxid",
        "chat_type",
        "msg_type",
        "msg_time",
        "extra",
        "api_send_id",
        "api_send_svrid",
    ]
)
VALUES = values(odd=False) | st.sampled_from(
    ["1", "2", '"0"', '{"api_send_id":7}', '{"api_send_svrid":"a,b"}', '"R:1"']
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_what_the_fast_way_reads_the_slow_way_reads_alike(pairs: list[tuple[str, str]]) -> None:
    raw = ("{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}").encode()
    slow = entries._read_slow("k", "", raw)
    try:
        fast = entries._read_fast("k", "", raw)
    except entries.REFUSED:
        return
    assert fast == slow


ODD_ENTRIES = [
    rb'{"svrid":"x","a":"\ud800"}',
    b'{"svrid":"x","a":NaN}',
    b'{"svrid":"x","a":"\xff"}',
    b'{"svrid":"x","a":"\x00"}',
    b'{"svrid":"x","a":%b}' % (b"9" * 5000),
    b'{"svrid":"x","msg_time":%b}' % (b"9" * 5000),
    b'{"svrid":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"svrid":"x","chat_wxid":{"a":1}}',
    b'{"svrid":"x","msg_time":"soon"}',
    b'{"svrid":"x","extra":"\\"api_send_id"}',
]


@pytest.mark.parametrize("odd", ODD_ENTRIES, ids=range(len(ODD_ENTRIES)))
def test_an_odd_entry_is_read_and_its_neighbours_with_it(odd: bytes) -> None:
    reading = read_notifications(body(MESSAGE, odd, MESSAGE))
    assert [entry.raw for entry in reading.entries] == [MESSAGE, odd, MESSAGE]
    assert reading.entries[1].svrid == "x"
    assert reading.entries[0] == reading.entries[2] == ENTRY
    assert reading.damaged == ()


BAD_ENTRIES = [b"{bad}", b'{"a":1,}', rb'{"svrid":"\x"}', b"[1 2]", b"nonsense", b'{"a":01}']


@pytest.mark.parametrize("bad", BAD_ENTRIES)
def test_a_bad_entry_costs_no_neighbour(bad: bytes) -> None:
    reading = read_notifications(body(MESSAGE, bad, MESSAGE))
    assert reading.entries == (ENTRY, ENTRY)
    assert reading.damaged == (Damage("entry", bad),)


@pytest.mark.parametrize("bad", [b"1", b'"x"', b"null", b"[[]]", b"{bad}", b'{"type" "x"}'])
def test_a_bad_notification_costs_no_neighbour(bad: bytes) -> None:
    good = body(MESSAGE)[1:-1]
    reading = read_notifications(b"[%b,%b,%b]" % (good, bad, good))
    assert reading.entries == (ENTRY, ENTRY)
    assert reading.damaged == (Damage("notification", bad),)


def test_a_body_cut_off_gives_what_came_before() -> None:
    reading = read_notifications(b"[%b,%b" % (body(MESSAGE)[1:-1], body(MESSAGE)[1:-9]))
    assert reading.entries == (ENTRY,)
    assert [damage.reason for damage in reading.damaged] == ["body"]


def test_what_follows_the_body_is_damage() -> None:
    assert read_notifications(body(MESSAGE) + b" junk") == Reading((ENTRY,), (Damage("body", b" junk"),), 1)


def test_damage_is_bounded_but_counted() -> None:
    reading = read_notifications(body(*[b"{%b}" % (b"x" * 100_000)] * 20))
    assert reading.damaged_count == 20
    assert len(reading.damaged) == 16
    assert {len(damage.part) for damage in reading.damaged} == {64 * 1024}


@pytest.mark.parametrize("data", [b"null", b"[]", b"[ ]"])
@pytest.mark.parametrize("kind", [b"chatMsg", b"chatMsgSendFail "])
def test_an_empty_list_of_messages_is_nothing(kind: bytes, data: bytes) -> None:
    assert read_notifications(b'[{"type":"%b","data":%b}]' % (kind, data)) == Reading(())


@pytest.mark.parametrize("rest", [b"", b',"data":null', b',"data":[]', b',"data":[ ]'])
def test_an_unknown_notification_without_data_is_kept_whole(rest: bytes) -> None:
    raw = b'{"type":"loggedOut","rel_wxid":"1688"%b}' % rest
    assert read_notifications(b"[%b]" % raw) == Reading((Entry("loggedOut", "1688", raw),))


def test_a_message_without_data_is_its_own_entry() -> None:
    raw = b'{"type":"chatMsg","svrid":"5","wxid":"1688"}'
    assert read_notifications(raw) == Reading((Entry("chatMsg", "1688", raw, svrid="5"),))


@pytest.mark.parametrize("data", [b"5", b'"text"', b"true", b"[5]", b'["text"]', b"[null]", b"[[1]]"])
def test_data_that_is_no_object_is_kept(data: bytes) -> None:
    (entry,) = read_notifications(b'[{"type":"taskDone","rel_wxid":"1688","data":%b}]' % data).entries
    assert entry == Entry("taskDone", "1688", data[1:-1] if data[:1] == b"[" else data)


def test_an_empty_array_is_no_damage() -> None:
    assert read_notifications(b"[]") == Reading(())


@pytest.mark.parametrize("plaintext", [b"", b"null", b'"[]"', b"12", b"<html>"])
def test_what_is_neither_array_nor_object_is_refused(plaintext: bytes) -> None:
    with pytest.raises(BodyError, match="json"):
        read_notifications(plaintext)


@pytest.mark.parametrize("token", [b"10000000000000000000000001", b'"10000000000000000000000001"'])
def test_an_id_keeps_all_its_digits(token: bytes) -> None:
    entry = one(b'"svrid":%b,"chat_wxid":%b,"api_send_id":%b' % (token, token, token))
    assert entry.svrid == entry.chat == entry.api_send_id == "1" + "0" * 24 + "1"


@pytest.mark.parametrize("zero", [b"0", b'"0"', b'"-0"', b'""', b"null", b"false", b"[]"])
@pytest.mark.parametrize("rest", [b"", b',"odd":NaN'], ids=["fast", "slow"])
def test_an_id_of_zero_is_none(zero: bytes, rest: bytes) -> None:
    entry = one(b'"svrid":%b,"wx_svrid":%b,"wx_msgid":%b%b' % (zero, zero, zero, rest))
    assert (entry.svrid, entry.wx_svrid, entry.wx_msgid) == ("", "", "")


def test_a_number_as_id_keeps_its_spelling() -> None:
    assert one(b'"svrid":1.10e5,"wx_svrid":true,"wx_msgid":[1]') == Entry(
        "chatMsg", "1688850000000001", b'{"svrid":1.10e5,"wx_svrid":true,"wx_msgid":[1]}', svrid="1.10e5"
    )


@pytest.mark.parametrize("spelling", [rb"\ud800", rb"\uDFFF", b"\xed\xa0\x80", rb"\u0000", b"\x00", b"\xff"])
def test_ids_can_be_stored(spelling: bytes) -> None:
    entry = one(b'"svrid":"a%bb"' % spelling)
    assert entry.svrid.strip("\ufffd").replace("\ufffd", "") == "ab"
    assert "\ufffd" in entry.svrid
    entry.svrid.encode()


def test_kind_and_account_can_be_stored() -> None:
    reading = read_notifications(rb'[{"type":"a\u0000","rel_wxid":"b\u0000","data":[{}]}]')
    assert (reading.entries[0].kind, reading.entries[0].account) == ("a\ufffd", "b\ufffd")


TIMES = {
    b"1700000000123": 1700000000123,
    b'"1700000000123"': 1700000000123,
    b"1700000000123.9": 1700000000123,
    b"1.7e12": 1700000000000,
    b"99999999999999999999": 2**63 - 1,
    b"-99999999999999999999": -(2**63),
    b"1e999999999": 2**63 - 1,
    b"1e999999999999999999999999": 0,
    b"9" * 5000: 2**63 - 1,
    b"null": 0,
    b"NaN": 0,
    b'"NaN"': 0,
    b'"sNaN"': 0,
    b'"Infinity"': 2**63 - 1,
    b'"soon"': 0,
    b"{}": 0,
}


@pytest.mark.parametrize("token", TIMES, ids=lambda token: token[:30].decode())
def test_a_time_is_64_bits_whatever_comes(token: bytes) -> None:
    assert one(b'"msg_time":%b' % token).time == TIMES[token]


CHAT_TYPES = {
    b'"chat_type":2': "room",
    b'"chat_type":"2"': "room",
    b'"chat_type":1,"chat_wxid":"R:1"': "private",
    b'"chat_wxid":"R:1"': "room",
    b'"chat_type":0,"chat_wxid":"R:1"': "room",
    b'"chat_wxid":"7881"': "private",
    b'"chat_type":null': "",
}


@pytest.mark.parametrize("fields", CHAT_TYPES)
def test_the_chat_type_is_told_or_follows_from_the_chat(fields: bytes) -> None:
    assert one(fields).chat_type == CHAT_TYPES[fields]


SEND_IDS = {
    b'"api_send_id":"o.1","api_send_svrid":"a,b,c"': ("o.1", "a,b,c"),
    b'"api_send_id":42': ("42", ""),
    b'"extra":{"api_send_id":"o.1","api_send_svrid":"a,b"}': ("o.1", "a,b"),
    b'"api_send_id":"","extra":{"api_send_id":7}': ("7", ""),
    b'"extra":"{\\"api_send_id\\":\\"o.1\\"}"': ("o.1", ""),
    rb'"extra":{"api\u005fsend_id":"o.1"}': ("o.1", ""),
    b'"api_send_id":0,"api_send_svrid":null': ("", ""),
    b'"api_send_id":"0","api_send_svrid":""': ("", ""),
    b'"extra":["api_send_id"]': ("", ""),
    b'"extra":null': ("", ""),
    b'"extra":"text"': ("", ""),
}


@pytest.mark.parametrize("fields", SEND_IDS)
def test_send_ids_stand_at_the_root_or_in_extra(fields: bytes) -> None:
    entry = one(fields)
    assert (entry.api_send_id, entry.api_send_svrid) == SEND_IDS[fields]


def test_a_log_is_read_like_a_callback() -> None:
    assert read_entries("chatMsg", "", b" [%b,{bad}]" % MESSAGE).entries == (ENTRY,)
    assert read_entries("chatMsg", "", MESSAGE).entries == (ENTRY,)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"message":"","reason":"blocked","error":5}', "blocked"),
        (b'{"error":5}', "5"),
        (rb'{"errmsg":"\ud800"}', "\ufffd"),
        (b"{}", ""),
        (b"broken", ""),
        (b'{"message":"%b"}' % (b"x" * 9999), "x" * 500),
    ],
)
def test_a_failure_tells_its_reason(raw: bytes, reason: str) -> None:
    assert entries.failure_reason(raw) == reason


@given(st.lists(values(odd=True), max_size=3), st.booleans())
def test_whatever_is_valid_is_kept_byte_for_byte(texts: list[str], odd: bool) -> None:
    parts = [text.encode() for text in texts] + ([b'{"a":NaN}'] if odd else [])
    reading = read_notifications(body(*parts, kind=b"other"))
    assert [entry.raw for entry in reading.entries] == (parts or [body(kind=b"other")[1:-1]])
    assert reading.damaged == ()
    json.dumps([entry.svrid for entry in reading.entries], ensure_ascii=False).encode()


@given(st.text('[]{}":,1 \\ntype', max_size=30).map(str.encode) | st.binary(max_size=20))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with contextlib.suppress(BodyError):
        read_notifications(text)


@pytest.mark.parametrize(
    "odd", [pytest.param(b"1", id="fast"), pytest.param(b"NaN", id="slow", marks=pytest.mark.long)]
)
def test_a_million_keys_are_read(odd: bytes) -> None:
    keys = b",".join(b'"k%d":%d' % (i, i) for i in range(1_000_000))
    began = time.process_time()
    (entry,) = read_notifications(body(b'{%b,"svrid":"x","odd":%b}' % (keys, odd))).entries
    assert entry.svrid == "x"
    assert time.process_time() - began < 15
