from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.json_texts import values

from relay.wire.content import (
    TYPES,
    AnnouncementContent,
    Content,
    PictureContent,
    TextContent,
    VoiceContent,
    content_of,
    content_view,
    mentioned,
    text_of,
)


def test_there_are_17_types() -> None:
    assert len(set(TYPES)) == 17


@given(values(odd=True))
def test_content_is_found_byte_for_byte(text: str) -> None:
    raw = text.encode()
    assert content_of(b'{"content":1,"a":%b, "\\u0063ontent" : %b }' % (raw, raw)) == raw


def test_an_entry_may_have_no_content() -> None:
    assert content_of(b"{}") == content_of(b'{"a":NaN}') == b""


TEXTS = {
    b'{"items":[{"type":"text","text":"a"},{"type":"emoji","text":"[b]"},{"type":"at","id":1}]}': "a[b]",
    b'{"items":[{"text":null},{"text":"a"},{"text":5},"b",null,[]]}': "a5b",
    b'{"items":{"text":"a"}}': "a",
    b'{"text":"a"}': "a",
    b'"plain"': "plain",
    b'"{plain}"': "{plain}",
    b'"{}"': "{}",
    rb'"{\"items\":[{\"text\":\"a\"}]}"': "a",
    rb'{"items":[{"text":"\ud800\ud83d\ude00\u0000"}]}': "\ufffd\U0001f600\ufffd",
    b'{"items":[{"text":"\xff"}],"x":NaN}': "\ufffd",
    b"null": "",
    b"": "",
    b"[": "",
    b'{"items":': "",
    b"[" * 100_000 + b"]" * 100_000: "",
}


@pytest.mark.parametrize("content", TEXTS, ids=lambda content: content[:30].decode("latin-1"))
def test_the_text_of_a_text(content: bytes) -> None:
    assert text_of("text", content) == TEXTS[content]


def test_the_text_of_an_announcement() -> None:
    assert text_of("announcement", b'{"text":"a","x":1}') == "a"


@pytest.mark.parametrize("type", sorted({*TYPES} - {"text", "announcement"}))
def test_other_types_have_no_text(type: str) -> None:  # noqa: A002 - the platform's word
    assert text_of(type, b'{"text":"a","items":[{"text":"b"}]}') == ""


def test_a_known_type_is_typed() -> None:
    view = content_view("text", b'{"items":[{"type":"text","text":"hi","x":1}]}')
    assert isinstance(view, TextContent)
    assert [(item.type, item.text) for item in view.items] == [("text", "hi")]


@pytest.mark.parametrize(("type", "model"), [("text", TextContent), ("announcement", AnnouncementContent)])
def test_a_plain_string_is_the_text(type: str, model: type[Content]) -> None:  # noqa: A002 - the platform's word
    view = content_view(type, b'"hi"')
    assert isinstance(view, model)
    assert "hi" in repr(view)


def test_an_encoded_object_is_an_object() -> None:
    assert content_view("picture", rb'"{\"url\":\"u\"}"') == PictureContent(url="u")


def test_small_differences_of_type_are_bridged() -> None:
    view = content_view("voice", b'{"url":null,"duration":"12","org_content":{"a":[1]}}')
    assert view == VoiceContent(url="", duration=12, org_content={"a": [1]})


def test_a_field_of_another_shape_makes_it_untyped() -> None:
    view = content_view("picture", b'{"url":{"a":1},"b":2}')
    assert type(view) is Content
    assert view.model_dump() == {"url": {"a": 1}, "b": 2}


@pytest.mark.parametrize("content", [b"[", b"[" * 100_000 + b"]" * 100_000, b"\xff", b"{bad"])
def test_what_cannot_be_decoded_is_kept_as_text(content: bytes) -> None:
    assert content_view("merge", content).model_dump() == {"value": content.decode("utf-8", "replace")}


KINDS = st.sampled_from([*TYPES, "new"])


@given(KINDS, values(odd=True) | st.text(max_size=9))
def test_a_view_never_raises_and_can_be_stored(kind: str, text: str) -> None:
    view = content_view(kind, text.encode("utf-8", "replace"))
    json.dumps(view.model_dump(), ensure_ascii=False).encode()


@given(KINDS, st.dictionaries(st.text("abcitemsurl_", min_size=1), st.integers() | st.lists(st.text("ab"))))
def test_a_view_loses_no_field(kind: str, fields: dict[str, object]) -> None:
    view = content_view(kind, json.dumps(fields).encode()).model_dump()
    assert fields.keys() <= view.keys()
    assert all(str(view[name]) == str(fields[name]) for name in fields.keys() - {"items"})


def test_a_view_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        content_view("picture", b"{}").url = "x"  # type: ignore[attr-defined]  # that it fails is the point


@pytest.mark.parametrize(
    ("items", "whom"),
    [
        ([{"type": "@", "text": "@Ann ", "wxid": "7881"}, {"type": "text", "text": "hi"}], ("7881",)),
        ([{"type": "AT", "text": "＠Ann\u2005"}], ("Ann",)),
        ([{"type": "mention", "wxid": 7}, {"type": "at"}, {"type": "emoji", "text": "[smile]"}], ("7",)),
        ([{"type": "text", "text": "@Ann"}], ()),
    ],
)
def test_whom_a_text_mentions_is_an_id_or_else_the_name(items: list[object], whom: tuple[str, ...]) -> None:
    view = content_view("text", json.dumps({"items": items}).encode())
    assert isinstance(view, TextContent)
    assert mentioned(view) == whom
