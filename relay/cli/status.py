"""`relay status`: how the bot is, at one look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.census import AT_A_LOOK, census
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json, configured, reporting
from relay.cli.screen import clean, print_json, screen
from relay.cli.standing import standing_lines
from relay.cli.tables import View, coloured
from relay.clock import SystemClock
from relay.config import Config
from relay.language import Text
from relay.operating.questions import DELIVERY_STATES
from relay.operating.report import plugin_rows
from relay.store.protocol import Row

SOURCES = {
    "folder": Text("文件夹", "folder"),
    "installed": Text("已安装", "installed"),
    "shipped": Text("自带", "shipped"),
}
"""Where a plugin comes from."""

HELP = """How the bot is: what waits, what became of deliveries, which processes are alive, which plugins run.

Examples:

- `relay status`
- `relay status --json` — for programs; ends with 0 whether or not the bot runs
"""


Told = Any
"""What `Report.status` tells; its shape is the contract's."""

Line = tuple[Styled, ...]


def status(config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        report = asyncio.run(_ask(read, plugin_rows(read, census(read, AT_A_LOOK))))
        if json:
            print_json(report)
        else:
            _show(read, report)


async def _ask(config: Config, plugins: Sequence[Row]) -> Row:
    async with reporting(config) as report:
        return await report.status(plugins)


def _show(config: Config, report: Told) -> None:
    console = screen()
    view = View(config, SystemClock().now(), console.width, report["account_names"])
    sections = (
        (texts.INBOX, _inbox),
        (texts.ANSWERS, _answers),
        (texts.UNREADABLE, _unreadable),
        (texts.PROCESSES, _processes),
        (texts.DELIVERIES, _deliveries),
        (texts.PAUSES, _pauses),
        (texts.ECHOES, _echoes),
        (texts.ACCOUNTS, _accounts),
        (texts.CALLBACKS_FROM, _callbacks_from),
        (texts.PLUGINS, _plugins),
        (texts.OBSERVED, observed_lines),
    )
    for title, lines in sections:
        _section(console, view.said(title), list(lines(report, view)))


def _section(console: Console, title: str, lines: list[Line]) -> None:
    """A title with lines under it; without lines, nothing."""
    if not lines:
        return
    console.print(Styled(title, "bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=0)
    for _ in range(max(map(len, lines)) - 1):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row("", *line)
    console.print(grid)
    console.print()


def _inbox(report: Told, view: View) -> Iterator[Line]:
    count = report["inbox"]["waiting"]
    yield (Styled(view.said(texts.WAITING, count=count), "yellow" if count else ""),)


def _answers(report: Told, view: View) -> Iterator[Line]:
    """Only what somebody should know of."""
    answers = report["answers"]
    if answers["late_today"]:
        yield (Styled(view.said(texts.LATE_TODAY, count=answers["late_today"]), "yellow"),)
    if answers["lost"]:
        yield (Styled(view.said(texts.LOST, count=answers["lost"]), "bold red"),)


def _unreadable(report: Told, view: View) -> Iterator[Line]:
    """Only while such a body is kept: then there is something to find out."""
    told = report["unreadable"]
    if told["last_at"]:
        at = view.when(told["last_at"])
        yield (Styled(view.said(texts.UNREAD, count=told["count"], at=at, id=told["last_id"]), "yellow"),)


def _deliveries(report: Told, view: View) -> Iterator[Line]:
    for state, count in report["deliveries"].items():
        name = view.word(DELIVERY_STATES, state)
        told = name if name == state else f"{name} {state}"
        style = coloured(state, "").style if count else "dim"
        meaning = Styled(view.word(texts.STATE_MEANINGS, state), "dim")
        yield Styled(told, style), Styled(str(count).rjust(6), style), meaning


def _processes(report: Told, view: View) -> Iterator[Line]:
    if not report["processes"]:
        yield (Styled(view.said(texts.NOT_RUNNING), "yellow"),)
    for each in report["processes"]:
        state = Styled(view.said(texts.ALIVE), "green") if each["alive"] else _silent(view)
        since = view.said(texts.SINCE, since=view.when(each["since"]), pid=each["pid"])
        yield Styled(view.word(texts.ROLES, each["role"])), state, Styled(since, "dim")


def _silent(view: View) -> Styled:
    return Styled(view.said(texts.SILENT), "bold red")


def _pauses(report: Told, view: View) -> Iterator[Line]:
    for pause in report["pauses"]:
        who = view.who(pause["account"]) if pause["account"] else Styled(view.said(texts.PLATFORM))
        told = view.said(texts.PAUSED, until=view.when(pause["until"]), reason=clean(pause["reason"]))
        yield who, Styled(told, "yellow")


def _echoes(report: Told, view: View) -> Iterator[Line]:
    """Only what is amiss."""
    echoes = report["echoes"]
    if echoes["short"]:
        p99, within = (round(echoes[key] / 1000, 1) for key in ("p99_ms", "resolve_within_ms"))
        told = view.said(texts.SHORT_PATIENCE, p99=p99, within=within)
        yield (Styled(told, "yellow"),)
    if report["repairs"]:
        yield (Styled(view.said(texts.REPAIRING, count=report["repairs"]), "yellow"),)


def _accounts(report: Told, view: View) -> Iterator[Line]:
    if not report["accounts"]:
        yield (Styled(view.said(texts.NO_ACCOUNTS), "yellow"),)
    for account in report["accounts"]:
        yield (view.who(account),)


def _callbacks_from(report: Told, view: View) -> Iterator[Line]:
    """Only where the platform's list decides."""
    listed = report["platform_ips"]
    if not listed["in_force"]:
        return
    if listed["addresses"] is None:
        yield (Styled(view.said(texts.EVERYBODY_YET), "yellow"),)
        return
    since = view.said(texts.LISTED_AT, at=view.when(listed["fetched_at"]))
    yield Styled(", ".join(map(clean, listed["addresses"]))), Styled(since, "dim")


def _plugins(report: Told, view: View) -> Iterator[Line]:
    if not report["plugins"]:
        yield (Styled(view.said(texts.NO_PLUGINS), "dim"),)
    for plugin in report["plugins"]:
        yield plugin_line(plugin, view)
        for told in standing_lines(plugin, view):
            yield Styled(""), Styled(""), Styled(""), told


def plugin_line(plugin: Told, view: View) -> Line:
    """A plugin: name, state, source, and what is wrong with it."""
    error = plugin["error"]
    state = coloured(plugin["state"], view.word(texts.PLUGIN_STATES, plugin["state"]))
    told = Styled(error_text(error), "red") if error else Styled("")
    source = view.word(SOURCES, plugin["source"])
    if plugin["observe"]:
        source = f"{source}, {view.said(texts.OBSERVES)}"
    return Styled(clean(plugin["name"])), state, Styled(source, "dim"), told


def observed_lines(report: Told, view: View) -> Iterator[Line]:
    """How often rules and plugins that only observe would have acted; nothing where none would."""
    for each in report["observed"]:
        told = view.said(texts.WOULD_LATELY, count=each["last_day"], s="" if each["last_day"] == 1 else "s")
        yield Styled(clean(each["plugin"])), Styled(clean(each["rule"])), Styled(told, "dim")


def error_text(error: Row) -> str:
    """A plugin's error with its place in front, as editors know to open it."""
    place = ":".join(str(error[part]) for part in ("file", "line") if error[part])
    return clean(f"{place}: {error['message']}" if place else str(error["message"]))
