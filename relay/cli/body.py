"""A body that could not be read, on a screen: `relay explain b12`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.tables import View
from relay.language import Text
from relay.operating.diagnosis import ADVICE, LOOKS, READABLE, REASONS, WHOLE
from relay.store.protocol import Row

UNREAD = Text("读不出来", "could not be read")
WHAT_CAME = Text("来的是", "what came")
A_BODY = Text("一个回调的正文：{looks}，{bytes} 字节", "the body of a callback: {looks}, {bytes} bytes")
A_PART = Text("回调里的一部分：{looks}，{bytes} 字节", "a part of a callback: {looks}, {bytes} bytes")
WHY = Text("为什么", "why")
THEN = Text("当时败在「{failed}」", "it failed then at: {failed}")
TAKE_IN = Text(
    "用现在的配置可以读了：relay diagnose --take-in 收下它",
    "it can be read with the configuration of now: `relay diagnose --take-in` takes it in",
)
NOT_SHOWN = Text(
    "正文留着，但不显示，也没有交给任何插件。",
    "The body is kept; nothing of it is shown, and no plugin has seen it.",
)


def show_body(console: Console, row: Row, view: View) -> None:
    """What came, when, and why it could not be read."""
    console.print(Styled(f"{row['id']}  ", "bold").append(view.said(UNREAD), "bold red"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    what = A_BODY if row["failed"] in WHOLE else A_PART
    looks = view.word(LOOKS, row["looks"])
    grid.add_row(view.said(texts.TIME), view.moment(row["received_at"]))
    grid.add_row(view.said(WHAT_CAME), view.said(what, looks=looks, bytes=row["bytes"]))
    grid.add_row(view.said(WHY), _why(row, view))
    console.print(grid)
    console.print(view.said(NOT_SHOWN), style="dim")


def _why(row: Row, view: View) -> Styled:
    now = str(row["now"])
    failed = view.said(THEN, failed=view.word(REASONS, row["failed"]))
    if now == READABLE:
        return Styled(f"{failed}\n").append(view.said(TAKE_IN), "green")
    return Styled(f"{view.word(REASONS, now)}\n", "red").append(view.said(ADVICE[now]), "")
