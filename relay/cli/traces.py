"""The lines of a trace, for people: in their language, with names for ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.screen import clean
from relay.cli.stored import told
from relay.cli.tables import Column, View, print_table
from relay.language import Text
from relay.store.protocol import Row

_ID = re.compile(r"R:\d+|(?<!\d)\d{10,}(?!\d)")

COLOURS = {
    "forward": "green",
    "send": "green",
    "reply": "green",
    "stop": "yellow",
    "would": "cyan",
    "no": "dim",
    "error": "bold red",
}


DECISIONS = {
    "no": Text("不符", "no"),
    "forward": Text("转发", "forward"),
    "send": Text("发送", "send"),
    "reply": Text("回复", "reply"),
    "stop": Text("到此为止", "stop"),
    "error": Text("出错", "error"),
    "set_aside": Text("搁置", "set aside"),
    "parked": Text("搁置", "parked"),
    "would": Text("本会", "would"),
    "ask": Text("提问", "ask"),
    "answer": Text("回答", "answer"),
    "end": Text("结束对话", "end"),
}


def print_trace(console: Console, rows: Sequence[Row], view: View) -> None:
    """One row for each line that a rule left, in the order in which they ran."""
    print_table(console, COLUMNS, rows, view, whole=True)


def reason(text: object, view: View) -> str:
    """Why, in the operator's language, with the names of chats and people."""
    said = told(clean(str(text or "")), view.language)
    return _ID.sub(lambda found: view.who(found[0]).plain, said)


def _decision(row: Row, view: View) -> Styled:
    decision = str(row["decision"])
    return Styled(view.word(DECISIONS, decision), COLOURS.get(decision, ""))


COLUMNS = (
    Column(texts.PLUGIN, lambda row, _: clean(str(row["plugin"])), from_width=60),
    Column(texts.RULE, lambda row, _: clean(str(row["rule"]))),
    Column(texts.DECISION, _decision),
    Column(texts.REASON, lambda row, view: reason(row["reason"], view), share=1),
    Column(texts.DURATION, lambda row, _: f"{float(str(row['ms'])):.1f} ms", from_width=100, right=True),
)
