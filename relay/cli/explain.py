"""`relay explain`: one message, what every rule said about it, and where it went."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.deliveries import COLUMNS as DELIVERIES
from relay.cli.messages import told_reason
from relay.cli.occasion import show_occasion, show_occasions
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Ids, Json, configured, reporting
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import View, coloured, names_in, print_table
from relay.cli.traces import print_trace
from relay.clock import SystemClock
from relay.config import Config
from relay.errors import RefusalError
from relay.operating.questions import MESSAGE_STATES
from relay.operating.report import NO_MESSAGE, NO_MESSAGE_HINT
from relay.store.protocol import Row

HELP = """Why a message did what it did: what each rule decided, or which condition failed, and where it went.

Examples:

- `relay explain m12` — our own id, as `relay messages` lists it
- `relay explain 1095000000000000123` — the platform's svrid
- `relay explain o3` — what else a plugin was called for: an event, a tick, a time-out
- `relay explain m12 --json` — for programs
"""

Told = Any
"""What `Report.explain` tells; its shape is the contract's."""


def explain(
    message: Annotated[str, typer.Argument(metavar="ID", help="m12 or 12, or the platform's svrid; or o3.")],
    config: ConfigPath = DEFAULT_CONFIG,
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        told = asyncio.run(_ask(read, message))
        if json:
            print_json(told)
        else:
            _show(read, told, ids=ids)


async def _ask(config: Config, message: str) -> Row:
    async with reporting(config) as report:
        told = await report.occasion(message) or await report.explain(message)
    if told is None:
        raise RefusalError(NO_MESSAGE, NO_MESSAGE_HINT, {"id": message}, exit_code=1)
    return told


def _show(config: Config, told: Told, *, ids: bool) -> None:
    console = screen()
    names = names_in([told], ("account", "chat", "sender"))
    names |= names_in(told["deliveries"], ("account", "target"))
    view = View(config, SystemClock().now(), console.width, names, ids=ids)
    if "kind" in told:
        show_occasion(console, told, view)
        return
    _show_message(console, told, view)
    console.print(Styled(view.said(texts.TRACE), "bold"))
    if told["trace"]:
        print_trace(console, told["trace"], view)
    else:
        hint = texts.NOT_ROUTED_YET if told["state"] == "waiting" else texts.NOT_ROUTED
        console.print(view.said(hint), style="dim")
    console.print()
    console.print(Styled(view.said(texts.DELIVERIES), "bold"))
    if told["deliveries"]:
        print_table(console, DELIVERIES, told["deliveries"], view, whole=True)
    else:
        console.print(view.said(texts.NO_DELIVERIES), style="dim")
    show_occasions(console, told["occasions"], view)


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
    when = Styled(view.when(told["received_at"]))
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
    ):
        grid.add_row(view.said(title), value)
    console.print(grid)
    console.print()
