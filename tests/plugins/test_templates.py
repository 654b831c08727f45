"""Placeholders: filled in once, and nothing else happens to a text."""

from __future__ import annotations

import datetime as dt
from typing import cast

import pytest
from bots import ANN, EAST, ONE
from hypothesis import given
from hypothesis import strategies as st

from relay import Message
from relay.authoring.names import Names
from relay.authoring.templates import PLACEHOLDERS, Template, placeholders, plain
from relay.config.problems import UnfitError

VALUES = dict.fromkeys(PLACEHOLDERS, "v")


@given(st.dictionaries(st.sampled_from(PLACEHOLDERS), st.text("{}sender", max_size=20)))
def test_what_a_customer_writes_is_never_filled_in_again(values: dict[str, str]) -> None:
    written = "-".join(f"{{{name}}}" for name in values)
    assert Template(written).fill(values) == "-".join(values.values())


@given(st.text(max_size=30))
def test_with_its_braces_doubled_any_text_stays_as_it_is(text: str) -> None:
    assert Template(text.replace("{", "{{").replace("}", "}}")).fill({}) == text


@given(st.text())
def test_a_value_has_no_control_character_left(value: str) -> None:
    assert not [c for c in plain(value) if ord(c) < 32 or 127 <= ord(c) < 160]
    assert plain(plain(value)) == plain(value)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a\x00\x07\x1b[31mb", "a[31mb"),
        ("a\r\nb\tc", "a b c"),
        ("\u202eexe.png", "exe.png"),
        ("\u200ea\u200fb\u061cc", "abc"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
def test_a_value_stays_on_one_line_and_in_its_direction(value: str, line: str) -> None:
    assert Template("{text}").fill({"text": value}) == line


def test_the_template_itself_keeps_its_lines() -> None:
    assert Template("a\n{sender}\t{{b}}").fill(VALUES) == "a\nv\t{b}"


@pytest.mark.parametrize(
    ("written", "at"), [("a {", 3), ("}", 1), ("{}", 1), ("{a b}", 1), ("{{}", 3), ("ok {{{", 6)]
)
def test_a_stray_brace_is_told_with_its_position(written: str, at: int) -> None:
    with pytest.raises(UnfitError, match=f"a stray brace at character {at}$"):
        Template(written)


def test_unknown_placeholders_are_told_once_each_and_together() -> None:
    (problem,) = Template("{sendr} {x} {sendr} {text} {y}").unknown(["y"])
    assert str(problem) == "there is no placeholder {sendr} or {x}"
    assert str(problem.hint) == "did you mean `sender`?"


class Called:
    """People and chats by their names; who is not known is called by the id."""

    def of(self, wxid: str) -> str:
        return {ANN: "Ann", EAST: "东区\n客户"}.get(wxid, wxid)


def test_placeholders_are_names_and_ids_where_no_name_is_known() -> None:
    said_at = dt.datetime(2024, 5, 3, 9, 5, tzinfo=dt.UTC)
    message = Message("m1", "1", ONE, EAST, "room", ANN, "text", said_at, b'{"content":"hi"}')
    filled = Template("{sender}|{chat}|{account}|{text}|{date} {time}").fill(
        placeholders(message, cast(Names, Called()))
    )
    assert filled == f"Ann|东区 客户|{ONE}|hi|2024-05-03 09:05"
