"""Texts and ids on a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import View, shortened
from relay.config import load
from relay.operating.report import names_of
from relay.testing import SECRETS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("价格\n多少\t？", "价格 多少 ？"),
        ("\x1b[2J\x07", "\ufffd[2J\ufffd"),
        ("a\u202eb\u2066c\u200fd\ufeff", "abcd"),
        ("\x9b31m\ud800", "\ufffd31m\ufffd"),
        ("👨\u200d👩\u200d👧 é ｶﾞ", "👨\u200d👩\u200d👧 é ｶﾞ"),
        ("[bold]:smile:[/bold]", "[bold]:smile:[/bold]"),
        ("\u2028\u2029 x", "x"),
    ],
)
def test_a_text_is_one_line_that_does_nothing(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_json_is_ascii_where_the_terminal_knows_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"text": "价格😀"})
    stream.seek(0)
    assert stream.read() == '{\n  "text": "\\u4ef7\\u683c\\ud83d\\ude00"\n}\n'


def test_what_is_piped_is_not_cut_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert screen().width == 200


@pytest.mark.parametrize(
    ("wxid", "shown"),
    [("R:10950000000000001", "R:1095…0001"), ("7881300000000001", "7881…0001"), ("short", "short")],
)
def test_a_long_id_is_shortened_in_its_middle(wxid: str, shown: str) -> None:
    assert shortened(wxid) == shown


SHOWN = [
    (80, "R:1", "老张"),
    (80, "R:10950000000000001", "客户群 east"),
    (80, "R:10950000000000009", "客户群 …0009"),
    (140, "R:1", "老张 R:1"),
    (140, "R:3", "R:3"),
    (80, "R:4", "很长很长很长很长 …"),
]


@pytest.mark.parametrize(("width", "wxid", "shown"), SHOWN)
def test_a_name_is_told_apart_from_its_like_and_with_its_id_where_there_is_room(
    fresh: Path, width: int, wxid: str, shown: str
) -> None:
    config = load(fresh, SECRETS)
    rooms = dict.fromkeys(("R:10950000000000001", "R:10950000000000009"), "客户群")
    view = View(config, 0, width, {"R:1": "老张", "R:4": "很长" * 40, **rooms})
    assert view.who(wxid).plain == shown


def test_a_name_stands_for_a_chat_only_where_it_is_the_only_one() -> None:
    names = {"east": ("R:1",), "all": ("R:1", "R:2"), "again": ("R:1",)}
    assert names_of(names) == {"R:1": "east"}
