"""Hostile JSON: whatever stands in an entry, its bytes are kept and its neighbours are unharmed."""

from __future__ import annotations

import hostile
import pytest

from relay.errors import BodyError
from relay.wire import entries
from relay.wire.content import content_of
from relay.wire.crypto import open_body
from relay.wire.entries import MAX_ID
from relay.wire.notifications import (
    CHUNK_BYTES,
    CHUNK_ENTRIES,
    Reading,
    read_in_chunks,
    read_notifications,
)
from relay.wire.requests import forward_body
from relay.wire.spans import PIECE, string_of

BEFORE, AFTER = hostile.entry(svrid=b'"before"'), hostile.entry(svrid=b'"after"')
each_value = pytest.mark.parametrize("name", hostile.VALUES)


def among(*raws: bytes) -> list[bytes]:
    """What is kept of these entries, the good neighbours aside."""
    reading = read_notifications(hostile.envelope(BEFORE, *raws, AFTER))
    kept = [entry.raw for entry in reading.entries]
    assert (kept[0], kept[-1]) == (BEFORE, AFTER)
    assert len(kept) - 2 + reading.damaged_count == len(raws)
    return kept[1:-1]


@each_value
def test_a_hostile_member_costs_neither_its_entry_nor_the_neighbours(name: str) -> None:
    value = hostile.VALUES[name]
    raws = [hostile.entry(**{field: value}) for field in hostile.fields(value)]
    assert among(*raws, hostile.entry(more=value)) == [*raws, hostile.entry(more=value)]


@each_value
def test_a_hostile_value_for_an_entry_costs_none_of_its_neighbours(name: str) -> None:
    value = hostile.VALUES[name]
    assert among(value) == ([value] if value[:1] == b"{" else [])


@each_value
def test_hostile_content_is_forwarded_byte_for_byte(name: str) -> None:
    value = hostile.VALUES[name]
    for content in (value, b'{"items":[{"text":%b}]}' % value):
        raw = hostile.entry(content=content)
        assert content_of(raw) == content
        body = forward_body(app_id="a", token="t", account="1", targets=["R:1"], entry=raw)
        assert b'"content":%b,"msg_time":1700000000000}]}' % content in body


@each_value
def test_a_hostile_value_beside_the_messages_costs_none_of_them(name: str) -> None:
    value = hostile.VALUES[name]
    reading = read_notifications(hostile.envelope(BEFORE, AFTER, more=b',"more":' + value))
    assert [entry.raw for entry in reading.entries] == [BEFORE, AFTER]


@each_value
def test_a_hostile_type_or_notification_costs_no_other_notification(name: str) -> None:
    value, good = hostile.VALUES[name], hostile.envelope(BEFORE)[1:-1]
    odd = hostile.envelope(AFTER, kind=value)[1:-1]
    reading = read_notifications(b"[%b,%b,%b,%b]" % (good, odd, value, good))
    kept = [entry.raw for entry in reading.entries if entry.raw != value]
    assert kept == [BEFORE, AFTER, BEFORE]
    assert len(reading.entries) - 3 + reading.damaged_count <= 1


@pytest.mark.parametrize(
    "opening", [b"[", *(pytest.param(each, marks=pytest.mark.long) for each in (b'{"a":', b'[{"a":'))]
)
def test_an_entry_of_depth_100000_costs_none_of_its_neighbours(opening: bytes) -> None:
    closing = opening.replace(b'"a":', b"").translate(bytes.maketrans(b"[{", b"]}"))[::-1]
    depth = 100_000 // opening.count(b"[" if opening[:1] == b"[" else b"{")
    raw = hostile.entry(content=opening * depth + b"1" + closing * depth)
    assert among(raw) == [raw]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_are_refused_and_not_taken_for_anything(encoding: str) -> None:
    with pytest.raises(BodyError):
        read_notifications(hostile.envelope(BEFORE).decode().encode(encoding))


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(BodyError, match=r"wire_form|padding|json"):
        open_body(b"\x1f\x8b\x08\0" + bytes(60), b"k" * 32, allow_plaintext=True)


@pytest.mark.parametrize("entry", [b"{}", b"1", b'{"a":NaN}', b"{a}"])
def test_a_million_entries_are_read_a_bounded_part_at_a_time(entry: bytes) -> None:
    count = 10_000  # a body of 8 MB has room for 300 times as many; each costs the same
    parts = list(read_in_chunks(hostile.envelope(b",".join([entry] * count))))
    assert sum(len(part.entries) + part.damaged_count for part in parts) == count
    assert max(len(part.entries) for part in parts) <= CHUNK_ENTRIES
    assert sum(len(part.damaged) for part in parts) <= 16


def test_a_part_is_bounded_in_bytes_too() -> None:
    raw = hostile.entry(content=b'"%b"' % (b"x" * (CHUNK_BYTES // 2)))
    parts = list(read_in_chunks(hostile.envelope(*[raw] * 6)))
    assert [len(part.entries) for part in parts] == [2, 2, 2, 0]


@pytest.mark.parametrize(
    "text",
    [
        hostile.envelope(BEFORE, b"{bad}", AFTER),
        hostile.envelope(BEFORE)[:-2],
        hostile.envelope(BEFORE) + b" junk",
        b'[{"type":"new"},7]',
        b"[]",
    ],
)
def test_in_parts_a_body_says_the_same(text: bytes) -> None:
    parts = list(read_in_chunks(text))
    whole = Reading(
        tuple(entry for part in parts for entry in part.entries),
        tuple(damage for part in parts for damage in part.damaged),
        sum(part.damaged_count for part in parts),
    )
    assert whole == read_notifications(text)


@pytest.mark.parametrize("field", ["svrid", "chat_wxid", "from_wxid", "msg_type", "api_send_id"])
@pytest.mark.parametrize("odd", [b"1", b"NaN"], ids=["fast", "slow"])
def test_an_id_that_is_too_long_is_none(field: str, odd: bytes) -> None:
    for length, kept in ((MAX_ID, MAX_ID), (MAX_ID + 1, 0), (200_000, 0)):
        raw = hostile.entry(**{field: b'"%b"' % (b"7" * length), "odd": odd})
        (entry,) = read_notifications(hostile.envelope(raw)).entries
        told = {"chat_wxid": entry.chat, "from_wxid": entry.sender, "msg_type": entry.type}
        assert len(told[field] if field in told else getattr(entry, field)) == kept


@pytest.mark.parametrize("unit", ["\\ud83d\\ude00", "\\ud800x", "\\\\", '\\"', "ab\\n", "你\\u4f60"])
def test_a_long_string_is_decoded_in_pieces_as_in_one(unit: str) -> None:
    short, count = string_of(f'"{unit}"'.encode()), 2 * PIECE // len(unit) + 1
    assert string_of(f'"{unit * count}"'.encode()) == short * count


@pytest.mark.parametrize("end", ["\\", "\\u12", '"x"'])
def test_a_long_string_that_is_none_is_refused(end: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|delimiter|escape|Extra|Unterminated|control"):
        string_of(b'"\\n' + b"x" * PIECE + end.encode())


def test_without_the_guard_against_depth_it_would_be_an_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "REFUSED", ValueError)
    with pytest.raises(RecursionError):
        entries.read_entry("chatMsg", "", hostile.entry(content=hostile.deep(b"[")))
