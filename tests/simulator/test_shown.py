"""How messages read on the page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.simulator.shown import MAX_CHARS, shown
from relay.simulator.texts import TEXTS

TYPES = [name.removeprefix("type_") for name in TEXTS["zh"] if name.startswith("type_")]


def test_all_seventeen_types_have_a_name() -> None:
    assert len(TYPES) == 17


@pytest.mark.parametrize(
    ("msg_type", "content", "expected"),
    [
        ("text", {"items": [{"type": "text", "text": "a"}, {"type": "at", "text": "@b"}]}, {"text": "a@b"}),
        ("text", "a plain string", {"text": "a plain string"}),
        ("text", '{"items":[{"type":"text","text":"encoded twice"}]}', {"text": "encoded twice"}),
        ("announcement", {"text": "news"}, {"text": "news"}),
        ("picture", {"url": "u"}, {"image": "u", "url": "u"}),
        ("file", {"title": "t", "url": "u"}, {"title": "t", "url": "u"}),
        (
            "link",
            {"cover": "c", "desc": "d", "title": "t", "url": "u"},
            {"image": "c", "desc": "d", "title": "t", "url": "u"},
        ),
        ("voice", {"url": "u", "duration": 3, "org_content": "hm"}, {"title": "hm", "desc": "3", "url": "u"}),
        ("card", {"nickname": "n", "wxid": "w"}, {"title": "n", "url": "w"}),
        (
            "merge",
            {"title": "t", "items": [{"nickname": "n", "text": "x"}]},
            {"title": "t", "lines": ["n: x"]},
        ),
        ("channel", {"unheard_of": 1}, {"text": '{"unheard_of": 1}'}),
        ("tomorrow", [1], {"text": "[1]"}),
    ],
)
def test_a_type_reads_as(msg_type: str, content: object, expected: object) -> None:
    assert shown(msg_type, json.dumps(content).encode()) == expected


@given(
    st.sampled_from(TYPES),
    st.binary(max_size=60) | st.text(max_size=40).map(lambda s: json.dumps(s).encode()),
)
def test_any_bytes_of_any_type_can_be_shown(msg_type: str, content: bytes) -> None:
    json.dumps(shown(msg_type, content))


def test_what_is_too_deep_or_too_long_is_shown_in_part() -> None:
    assert len(shown("text", b"[" * 100_000).get("text", "")) == MAX_CHARS + 1
