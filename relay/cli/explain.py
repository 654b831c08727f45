"""`relay explain`: one message, what every rule said about it, and where it went."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.body import show_body
from relay.cli.deliveries import COLUMNS as DELIVERIES
from relay.cli.messages import told_reason
from relay.cli.occasion import show_occasion, show_occasions
from relay.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Ids,
    Json,
    configured,
    quietly_loaded,
    rehearsing,
    reporting,
)
from relay.cli.requests import show_requests
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import View, coloured, names_in, print_table
from relay.cli.traces import print_trace
from relay.clock import SystemClock
from relay.config import Config
from relay.errors import ConfigurationError, RefusalError
from relay.language import Text
from relay.operating.questions import MESSAGE_STATES, body_asked
from relay.operating.replay import PastClock
from relay.operating.report import (
    BODY_REMOVED,
    NO_BODY,
    NO_BODY_HINT,
    NO_MESSAGE,
    NO_MESSAGE_HINT,
    REMOVED,
    REMOVED_HINT,
    Report,
)
from relay.roles import Loading, build_rehearsal
from relay.routing.received import message_of
from relay.store.protocol import Row
from relay.store.sqlite.rehearsing import RehearsedStore

HELP = """Why a message did what it did: what each rule decided, or which condition failed, and where it went.

Examples:

- `relay explain m12` — our own id, as `relay messages` lists it
- `relay explain 1095000000000000123` — the platform's svrid
- `relay explain d7` — the message behind a delivery
- `relay explain m12 --rule refund` — what one rule says of it now; `--rules`: every rule
- `relay explain o3` — what else a plugin was called for: an event, a tick, a time-out
- `relay explain b4` — a callback that could not be read: what came, when, and why
- `relay explain m12 --json` — for programs
"""

AGAIN = Text("每条规则现在怎么说", "What each rule says now")
AGAIN_IS_TODAY = Text(
    "这是演练：用现在的 bot.toml 和插件、这条消息当时的时间，冷却从头算起；什么也没有发送。",
    "A rehearsal with bot.toml and plugins as they are now, at the message's own time; cooldowns begin anew, "
    "and nothing was sent.",
)
ASK_EACH = Text(
    "relay explain {id} --rules 逐条说明；只问一条用 --rule 名称。",
    "`relay explain {id} --rules` asks each of them, --rule NAME a single one.",
)
NO_RULE = Text("没有规则「{rule}」，或者没有轮到它", "there is no rule `{rule}`, or nobody came to it")
NO_RULE_HINT = Text("有这些：{known}", "there are: {known}")
COPIES = Text("副本", "copies")
ECHO_OF = Text("是回声", "echo of")
AHEAD = Text("前面", "ahead")
AHEAD_COUNT = Text("本会话还有 {count} 条在等", "{count} of this chat wait before it")
ANSWERED = re.compile(r"to a question: it goes to (\S+)")
SUMMED_UP = re.compile(r"\d+ other rules: ")

Told = Any
"""What `Report.explain` tells; its shape is the contract's."""


def explain(
    message: Annotated[str, typer.Argument(metavar="ID", help="m12 or 12, or the platform's svrid; o3; b4.")],
    config: ConfigPath = DEFAULT_CONFIG,
    rules: Annotated[
        bool, typer.Option("--rules", help="Ask every rule again, as bot.toml and plugins are now.")
    ] = False,
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help="The same for this rule alone.")] = "",
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        told = asyncio.run(_ask(read, message))
        if (rules or rule) and "trace" in told and "kind" not in told:
            told |= _again(read, told, rule)
        if json:
            print_json(told)
        else:
            _show(read, told, ids=ids)


async def _ask(config: Config, message: str) -> Told:
    async with reporting(config) as report:
        told = await report.occasion(message) or await report.body(message) or await report.explain(message)
        if told is None and await report.removed(message):
            removed = BODY_REMOVED if body_asked(message) else REMOVED, REMOVED_HINT
            raise RefusalError(*removed, {"id": message}, exit_code=1)
    if told is None and body_asked(message):
        raise RefusalError(NO_BODY, NO_BODY_HINT, {"id": message}, exit_code=1)
    if told is None:
        raise RefusalError(NO_MESSAGE, NO_MESSAGE_HINT, {"id": message}, exit_code=1)
    return told


def _again(config: Config, told: Told, rule: str) -> Row:
    """What each rule says today, in a rehearsal; `ConfigurationError` as at the start."""
    loading = quietly_loaded(config)
    if loading.problems:
        raise ConfigurationError(tuple(loading.problems), config.bot.language)
    clock = PastClock()
    with rehearsing(config, clock) as store, contextlib.redirect_stdout(sys.stderr):
        lines, names = asyncio.run(_asked_again(config, store, clock, loading, told))
    wanted = [line for line in lines if not rule or line["rule"] == rule]
    if not wanted:
        near = {"rule": rule, "known": ", ".join(sorted({str(line["rule"]) for line in lines} - {""})[:20])}
        raise RefusalError(NO_RULE, NO_RULE_HINT, near, exit_code=1)
    return {"again": wanted, "names": told["names"] | names}


async def _asked_again(
    config: Config, store: RehearsedStore, clock: PastClock, loading: Loading, told: Told
) -> tuple[list[Row], dict[str, str]]:
    number = int(told["id"][1:])
    kept = await store.kept(number)
    assert kept is not None  # noqa: S101 - it was told a moment ago
    clock.at = kept.received_at
    await store.begin_before(kept.received_at)
    await store.ask_again(kept, answered_in(told["trace"]))
    rehearsal = build_rehearsal(config, store, clock, loading)
    lines = await rehearsal.again(message_of(kept, config.bot.zone), number)
    return lines, await Report(config, store, SystemClock()).names_told(lines)


def answered_in(trace: Sequence[Told]) -> dict[str, str]:
    """The plugins whose questions a message answered, and to which function it went."""
    found = ((line["plugin"], ANSWERED.fullmatch(line["reason"])) for line in trace)
    return {plugin: goes_to[1] for plugin, goes_to in found if goes_to is not None}


def _show(config: Config, told: Told, *, ids: bool) -> None:
    console = screen()
    if told.get("kind") == "body":
        show_body(console, told, View(config, SystemClock().now(), console.width))
        return
    names = names_in([told], ("account", "chat", "sender")) | told["names"]
    names |= names_in(told["deliveries"], ("account", "target"))
    view = View(config, SystemClock().now(), console.width, names, ids=ids)
    if "kind" in told:
        show_occasion(console, told, view)
        return
    _show_message(console, told, view)
    console.print(Styled(view.said(texts.TRACE), "bold"))
    if told["trace"]:
        print_trace(console, told["trace"], view)
        if any(SUMMED_UP.match(str(line["reason"])) for line in told["trace"]) and "again" not in told:
            console.print(view.said(ASK_EACH, id=told["id"]), style="dim")
    else:
        hint = texts.NOT_ROUTED_YET if told["state"] == "waiting" else texts.NOT_ROUTED
        console.print(view.said(hint), style="dim")
    _show_again(console, told, view)
    console.print()
    console.print(Styled(view.said(texts.DELIVERIES), "bold"))
    if told["deliveries"]:
        print_table(console, DELIVERIES, told["deliveries"], view, whole=True)
    else:
        console.print(view.said(texts.NO_DELIVERIES), style="dim")
    show_requests(console, told["deliveries"], view)
    show_occasions(console, told["occasions"], view)


def _show_again(console: Console, told: Told, view: View) -> None:
    if "again" in told:
        console.print()
        console.print(Styled(view.said(AGAIN), "bold"))
        print_trace(console, told["again"], view)
        console.print(view.said(AGAIN_IS_TODAY), style="dim")


def _show_message(console: Console, told: Told, view: View) -> None:
    """The message, field by field; its text as long as it is."""
    state = coloured(told["state"], view.word(MESSAGE_STATES, told["state"]))
    console.print(
        Styled(f"{told['id']}  ", "bold").append_text(state).append(f"  {told_reason(told, view)}", "dim")
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    said = clean(told["text"]) or f"[{view.word(texts.TYPES, told['type'])}]"
    sender = view.who(told["sender"])
    if told["own"]:
        sender = sender.append(f" ({view.said(texts.OURS)})", "dim")
    when = Styled(view.moment(told["received_at"]))
    if told["late"]:
        when = when.append(f" ({view.said(texts.LATE)})", "dim")
    for title, value in (
        (texts.TIME, when),
        (texts.CHAT, view.who(told["chat"])),
        (texts.SENDER, sender),
        (texts.ACCOUNT, view.who(told["account"])),
        (texts.SVRID, Styled(clean(told["svrid"]))),
        (texts.TYPE, Styled(view.word(texts.TYPES, told["type"]))),
        (texts.TEXT, Styled(said)),
        *_circumstances(told, view),
    ):
        grid.add_row(view.said(title), value)
    console.print(grid)
    console.print()


def _circumstances(told: Told, view: View) -> Iterator[tuple[Text, Styled]]:
    """What it has to do with other messages, as far as it has."""
    if told["copies"]:
        yield COPIES, Styled(", ".join(told["copies"]))
    if told["echo_of"]:
        yield ECHO_OF, Styled(told["echo_of"])
    if told["state"] == "waiting":
        yield AHEAD, Styled(view.said(AHEAD_COUNT, count=told["ahead"]))
