"""`relay try`: what the bot would do with a text, without doing it."""

from __future__ import annotations

import asyncio
import contextlib
import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text as Styled

from relay.bounds import confine
from relay.cli import completion, texts
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Ids, Json, configured, quietly_loaded, rehearsing
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import Column, View, print_table
from relay.cli.traces import print_trace
from relay.cli.underling import ending_at_once, own_stdout
from relay.clock import SystemClock
from relay.config import Config
from relay.errors import ConfigurationError, RefusalError
from relay.operating.questions import Line, line_asked
from relay.roles import build_rehearsal
from relay.store.protocol import Row
from relay.wire.content import text_of

HELP = """What the bot would do with a text: its decisions, and why. Nothing is sent, nothing is remembered.

The plugins run as they would in the live bot, over a copy of what they remember, with `ctx.dry_run` set.

Examples:

- `relay try "what is the price?" --chat east --sender 7881300000000001`
- `relay try hello --chat R:10950000000000001 --sender 7881300000000001 --json` — for programs
"""

Chat = Annotated[
    str,
    typer.Option(
        "--chat", metavar="CHAT", help="Where: a name in [chats] or an id.", autocompletion=completion.chats
    ),
]
Sender = Annotated[
    str, typer.Option("--sender", metavar="SENDER", help="Who says it: a name in [chats] or an id.")
]
Account = Annotated[
    str,
    typer.Option(
        "--account", metavar="ACCOUNT", help="Which account of ours hears it, if not the one that acts there."
    ),
]
FromStdin = Annotated[
    bool, typer.Option("--from-stdin", hidden=True, help="Read the line as JSON from stdin, for the console.")
]
Told = Any
"""What `Rehearsal.say` tells; its shape is the contract's."""


def trying(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is said.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    chat: Chat = "",
    sender: Sender = "",
    account: Account = "",
    ids: Ids = False,
    json: Json = False,
    from_stdin: FromStdin = False,
) -> None:
    """The command; `HELP` explains it."""
    if from_stdin:
        with ending_at_once():
            _answer_program(config)
    with configured(config) as read:
        _complete(chat, sender)
        line = line_asked(text, chat, sender, account, read.chats)
        told = rehearsed(read, line)
        if json:
            print_json(told)
        else:
            _show(read, told, ids=ids)


def _answer_program(config: Path) -> None:
    """Try what stands as JSON on stdin, for the console, which has checked its shape."""
    asked = jsonlib.loads(sys.stdin.buffer.read())
    with own_stdout(), configured(config) as read:
        confine(read.plugins.memory_limit)
        line = line_asked(asked["text"], asked["chat"], asked["sender"], asked["account"], read.chats)
        told = rehearsed(read, line)
    print_json(told)


def _complete(chat: str, sender: str) -> None:
    for option, given in (("--chat", chat), ("--sender", sender)):
        if not given:
            raise RefusalError(texts.MISSING, texts.MISSING_HINT, {"option": option})


def rehearsed(config: Config, line: Line) -> Row:
    """What the bot would do; what plugins print goes to stderr. `ConfigurationError` as at the start."""
    loading = quietly_loaded(config)
    if loading.problems:
        raise ConfigurationError(tuple(loading.problems), config.bot.language)
    with rehearsing(config, SystemClock()) as store, contextlib.redirect_stdout(sys.stderr):
        return asyncio.run(build_rehearsal(config, store, SystemClock(), loading).say(line))


def _show(config: Config, told: Told, *, ids: bool) -> None:
    console = screen()
    view = View(config, SystemClock().now(), console.width, told["names"], ids=ids)
    _show_message(console, told["message"], view)
    console.print(Styled(view.said(texts.DECISIONS_MADE), "bold"))
    if told["decisions"]:
        print_table(console, COLUMNS, told["decisions"], view, whole=True)
    else:
        console.print(view.said(texts.NO_DECISIONS), style="dim")
    console.print()
    console.print(Styled(view.said(texts.TRACE), "bold"))
    print_trace(console, told["trace"], view)
    console.print(view.said(texts.NOTHING_SENT), style="dim")


def _show_message(console: Console, message: Told, view: View) -> None:
    said = view.said(texts.WOULD_SAY, said=clean(message["text"]))
    who = view.who(message["sender"]).append(" @ ", "dim").append_text(view.who(message["chat"]))
    console.print(who.append(f"  {said}"), soft_wrap=True)
    account = message["account"]
    heard = view.who(account) if account else Styled(view.said(texts.NO_ACCOUNT), "yellow")
    console.print(Styled(f"{view.said(texts.HEARD_BY)} ", "dim").append_text(heard))
    console.print()


def _targets(row: Row, view: View) -> Styled:
    targets = row["targets"]
    assert isinstance(targets, list)  # noqa: S101 - the contract's shape
    return Styled(", ").join(view.who(each) for each in targets)


def _said(row: Row, view: View) -> str:
    messages = row["messages"]
    assert isinstance(messages, list)  # noqa: S101 - the contract's shape
    return " / ".join(_words(each, view) for each in messages) or view.said(texts.VERBATIM)


def _words(message: Told, view: View) -> str:
    kind = str(message["msg_type"])
    words = clean(text_of(kind, jsonlib.dumps(message["content"]).encode()))
    told = words or f"[{view.word(texts.TYPES, kind)}]"
    return f"{told} ({view.said(texts.AFTER, seconds=message['delay'])})" if "delay" in message else told


COLUMNS = (
    Column(texts.PLUGIN, lambda row, _: clean(str(row["plugin"])), from_width=80),
    Column(texts.RULE, lambda row, _: clean(str(row["rule"]))),
    Column(texts.KIND, lambda row, view: view.word(texts.KINDS, row["kind"])),
    Column(texts.TARGET, _targets, share=1),
    Column(texts.TEXT, _said, share=2),
    Column(texts.ACCOUNT, lambda row, view: view.who(row["account"]), from_width=100),
)
