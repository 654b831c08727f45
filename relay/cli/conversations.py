"""`relay conversations`: questions that wait for an answer, and how one is ended."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.options import DEFAULT_CONFIG, Chats, ConfigPath, Ids, Json, configured, operating, reporting
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import Column, Listing, print_listing
from relay.config import Config
from relay.language import Language, Text
from relay.operating.conversations import conversation_asked
from relay.store.protocol import Row

HELP = """Questions of plugins that wait for somebody's next message, those first that end first.

Examples:

- `relay conversations` — all of them
- `relay conversations --chat east --json` — for programs
- `relay conversations --cancel c12` — the plugin waits no longer: the next message is like any other
"""

ASKED_BY = Text("插件", "plugin")
WAITS_FOR = Text("等谁回答", "waits for")
GOES_TO = Text("交给", "goes to")
UNTIL = Text("等到", "until")
SHOWN = Text("{count} 个对话，时间是 {zone}", "{count} conversations, times in {zone}")
NO_CONVERSATIONS = Text("没有等人回答的问题。", "No question waits for an answer.")
ASKED_WITH = Text("插件用 Reply(…, then=…) 提问", "plugins ask by `Reply(…, then=…)`")
CANCELLED = Text("{id} 已结束", "{id} has ended")


def conversations(
    config: ConfigPath = DEFAULT_CONFIG,
    chat: Chats = None,
    cancel: Annotated[
        list[str] | None,
        typer.Option("--cancel", metavar="ID", help="End this one, as c12 or 12; several with commas."),
    ] = None,
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        if cancel:
            _end(read, cancel, json=json)
            return
        rows = asyncio.run(_ask(read, chat or []))
        if json:
            print_json(rows)
        else:
            print_listing(read, LISTING, rows, ["--chat"] if chat else [], ids=ids)


async def _ask(config: Config, chats: list[str]) -> list[Row]:
    async with reporting(config) as report:
        return await report.conversations(chats)


def _end(config: Config, words: list[str], *, json: bool) -> None:
    numbers = [conversation_asked(word) for given in words for word in given.split(",") if word.strip()]
    rows = asyncio.run(_cancel(config, numbers))
    if json:
        print_json(rows)
    else:
        _tell(rows, config.bot.language)
    if not all(row["done"] for row in rows):
        raise typer.Exit(1)


async def _cancel(config: Config, numbers: list[int]) -> list[Row]:
    async with operating(config) as operator:
        return await operator.cancel(numbers)


def _tell(rows: list[Row], language: Language) -> None:
    console = screen()
    for row in rows:
        if row["done"]:
            console.print(CANCELLED.said(language, id=row["id"]))
        else:
            console.print(Styled(f"✗ {row['error']}", "red"), soft_wrap=True)
            console.print(Styled(f"  {row['hint']}", "dim"), soft_wrap=True)


COLUMNS = (
    Column(texts.ID, lambda row, _: Styled(str(row["id"]), "dim")),
    Column(ASKED_BY, lambda row, _: clean(str(row["plugin"]))),
    Column(texts.CHAT, lambda row, view: view.who(row["chat"])),
    Column(WAITS_FOR, lambda row, view: view.who(row["sender"])),
    Column(UNTIL, lambda row, view: view.when(row["until"])),
    Column(GOES_TO, lambda row, _: clean(str(row["handler"])), from_width=70),
    Column(texts.MESSAGE, lambda row, _: Styled(str(row["message_id"] or ""), "dim"), from_width=90),
    Column(texts.ACCOUNT, lambda row, view: view.who(row["account"]), from_width=130),
)

LISTING = Listing(COLUMNS, ("account", "chat", "sender"), SHOWN, NO_CONVERSATIONS, ASKED_WITH)
