"""The requests behind deliveries, on a screen: each with how it ended, and whether it came back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.screen import clean
from relay.cli.stored import told
from relay.cli.tables import Column, View, print_table
from relay.language import Text
from relay.store.protocol import Row

Told = Any
"""Deliveries as `Report.explain` tells them."""

REQUESTS = Text("发出的请求", "The requests")
NUMBER = Text("次", "no.")
OUTCOME = Text("结果", "outcome")
CAME_BACK = Text("回声", "echo")
TOOK = Text("耗时", "took")
OUTCOMES = {
    "taken": Text("已受理", "taken"),
    "not_sent": Text("没有发出", "not sent"),
    "throttled": Text("限速", "throttled"),
    "not_executed": Text("没有执行", "not executed"),
    "refused": Text("被拒绝", "refused"),
    "unknown": Text("不明", "unknown"),
    "": Text("在途", "on its way"),
}
FAILED = Text("失败事件", "failure event")


def show_requests(console: Console, deliveries: Told, view: View) -> None:
    """One row for each request of these deliveries; nothing where none went out."""
    rows = [{**request, "id": each["id"]} for each in deliveries for request in each["requests"]]
    if rows:
        console.print()
        console.print(Styled(view.said(REQUESTS), "bold"))
        print_table(console, COLUMNS, rows, view, whole=True)


def _took(row: Row, _: View) -> str:
    if not row["ended_at"]:
        return ""
    began, ended = (datetime.fromisoformat(str(row[key])) for key in ("started_at", "ended_at"))
    return f"{(ended - began).total_seconds():.3f} s"


def _outcome(row: Row, view: View) -> str:
    said = view.word(OUTCOMES, row["outcome"] or "")
    return f"{said}, {view.said(FAILED)}" if row["failure_event"] else said


def _error(row: Row, view: View) -> str:
    return clean(told(str(row["error"] or ""), view.language))


COLUMNS = (
    Column(texts.ID, lambda row, _: Styled(str(row["id"]), "dim")),
    Column(NUMBER, lambda row, _: str(row["number"]), right=True),
    Column(texts.TIME, lambda row, view: view.when(row["started_at"])),
    Column(TOOK, _took, from_width=80, right=True),
    Column(OUTCOME, _outcome),
    Column(CAME_BACK, lambda row, _: str(row["echo"] or "")),
    Column(
        texts.ERROR,
        lambda row, view: clean(told(str(row["error"] or ""), view.language)),
        from_width=50,
        share=1,
    ),
)
