"""What is told of a plugin beside its state: which version runs, until when it is parked, whom it held up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text as Styled

from relay.cli.screen import clean
from relay.cli.tables import View
from relay.language import Text

RUNS_ON = Text("{since} 起的版本 {version} 还在跑", "the version of {since} runs on ({version})")
PARKED = Text("连续失败 {failures} 次，搁置到 {until}", "{failures} failures in a row; parked until {until}")
UNTRIED = Text(
    "连续失败 {failures} 次，下一次调用再试", "{failures} failures in a row; the next call tries it again"
)
LEFT = Text("旧版本没有结束：{what}", "an earlier version goes on: {what}")
BLOCKED = Text("{handler} 占住事件循环共 {seconds} 秒", "{handler} blocked the loop for {seconds} s in all")
DIED = Text("路由进程在 {handler} 里退出过 {count} 次", "deaths of the router in {handler}: {count}")
SLIGHT = 1_000  # ms of blocking that nobody need be told of


def standing_lines(row: Any, view: View) -> Iterator[Styled]:  # noqa: ANN401, RUF100 - the API's shape
    """Only what somebody should know of."""
    if row["parked"]:
        yield Styled(_parked(row["parked"], view), "yellow")
    if row["state"] == "failed" and row["running"]:
        since = view.when(row["running"]["since"])
        yield Styled(view.said(RUNS_ON, since=since, version=row["running"]["version"]), "yellow")
    if row["left"]:
        yield Styled(view.said(LEFT, what=clean(", ".join(row["left"]))), "yellow")
    for each in row["handlers"]:
        handler = clean(each["handler"])
        if each["file"]:
            handler += clean(f" ({each['file']}:{each['line']})")
        if each["blocked_ms"] > SLIGHT:
            yield Styled(
                view.said(BLOCKED, handler=handler, seconds=round(each["blocked_ms"] / 1000, 1)), "dim"
            )
        if each["deaths"]:
            yield Styled(view.said(DIED, handler=handler, count=each["deaths"]), "yellow")


def _parked(parked: Any, view: View) -> str:  # noqa: ANN401, RUF100 - as above
    if parked["due"]:
        return view.said(UNTRIED, failures=parked["failures"])
    return view.said(PARKED, failures=parked["failures"], until=view.when(parked["until"]))
