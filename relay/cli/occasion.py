"""What a plugin was called for and is no message, on a screen: `relay explain o12`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.deliveries import COLUMNS as DELIVERIES
from relay.cli.screen import clean
from relay.cli.stored import told
from relay.cli.tables import Column, View, coloured, print_table
from relay.cli.traces import print_trace
from relay.language import Text

Told = Any
"""What `Report.occasion` tells."""

KINDS = {
    "event": Text("平台事件", "event"),
    "delivery": Text("投递变化", "change of a delivery"),
    "tick": Text("定时", "tick"),
    "timeout": Text("无人回答", "time-out"),
}
STATES = {
    "waiting": Text("等待", "waiting"),
    "handled": Text("已处理", "handled"),
    "skipped": Text("已跳过", "skipped"),
    "set_aside": Text("搁置", "set aside"),
}
LED_TO = Text("此后", "Afterwards")
WHAT = Text("何事", "what")
CALLED = Text("交给", "for")
ASKED = Text("起因", "because of")


def show_occasion(console: Console, row: Told, view: View) -> None:
    """One of them: what it is, what everybody decided, and where that went."""
    state = coloured(row["state"], view.word(STATES, row["state"]))
    why = told(clean(row["reason"] or ""), view.language)
    console.print(Styled(f"{row['id']}  ", "bold").append_text(state).append(f"  {why}", "dim"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for title, value in (
        (texts.TIME, view.moment(row["at"])),
        (WHAT, _what(row, view)),
        (CALLED, _whom(row)),
        (texts.CHAT, view.who(row["chat"])),
        (texts.SENDER, view.who(row["sender"])),
        (texts.ACCOUNT, view.who(row["account"])),
        (ASKED, str(row["message_id"] or "")),
    ):
        if str(value):
            grid.add_row(view.said(title), value)
    console.print(grid)
    console.print()
    console.print(Styled(view.said(texts.TRACE), "bold"))
    print_trace(console, row["trace"], view)
    console.print()
    console.print(Styled(view.said(texts.DELIVERIES), "bold"))
    if row["deliveries"]:
        print_table(console, DELIVERIES, row["deliveries"], view, whole=True)
    else:
        console.print(view.said(texts.NO_DELIVERIES), style="dim")


def show_occasions(console: Console, rows: list[Told], view: View) -> None:
    """What a message led to, where it led to anything."""
    if rows:
        console.print()
        console.print(Styled(view.said(LED_TO), "bold"))
        print_table(console, COLUMNS, rows, view)


def _what(row: Told, view: View) -> str:
    more = row["event"] or " ".join(each for each in (row["delivery_id"], row["became"]) if each)
    return f"{view.word(KINDS, row['kind'])} {clean(more)}".strip()


def _whom(row: Told) -> str:
    return clean(".".join(each for each in (row["plugin"], row["handler"]) if each))


COLUMNS = (
    Column(texts.ID, lambda row, _: Styled(str(row["id"]), "dim")),
    Column(texts.TIME, lambda row, view: view.when(row["at"])),
    Column(WHAT, _what),
    Column(CALLED, lambda row, _: _whom(row), from_width=60),
    Column(texts.STATE, lambda row, view: coloured(row["state"], view.word(STATES, row["state"]))),
    Column(texts.REASON, lambda row, view: told(str(row["reason"] or ""), view.language), share=1),
)
