"""`relay messages`: what was received, and what became of it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.options import DEFAULT_CONFIG, Chats, ConfigPath, Ids, Json, Limit, configured, reporting
from relay.cli.screen import clean, print_json
from relay.cli.stored import told
from relay.cli.tables import Column, Listing, View, coloured, print_listing
from relay.config import Config
from relay.operating.questions import MESSAGE_STATES
from relay.store.protocol import Row

HELP = """Received messages, newest first, and what became of each.

Examples:

- `relay messages` — the last 50
- `relay messages --chat east --since 2h` — one chat (a name in [chats] or an id), the last two hours
- `relay messages --since "2026-01-31 09:00" --limit 1000 --json` — for programs
"""


def messages(
    config: ConfigPath = DEFAULT_CONFIG,
    chat: Chats = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="30m, 2h, 7d, or a date and time.")
    ] = None,
    limit: Limit = None,
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        rows = asyncio.run(_ask(read, chat or [], since, limit))
        if json:
            print_json(rows)
        else:
            given = [name for name, value in (("--chat", chat), ("--since", since)) if value]
            print_listing(read, LISTING, rows, given, ids=ids)


async def _ask(config: Config, chats: list[str], since: str | None, limit: str | None) -> list[Row]:
    async with reporting(config) as report:
        return await report.messages(chats=chats, since=since, limit=limit)


def message_id(row: Row, _: View) -> Styled:
    """The id, for people."""
    return Styled(str(row["id"]), "dim")


def _sender(row: Row, view: View) -> Styled:
    if row["own"]:
        return Styled(view.said(texts.OURS), "dim")
    return view.who(row["sender"])


def message_text(row: Row, view: View) -> Styled:
    """What was said, or what kind of message it was."""
    text = clean(str(row["text"]))
    return Styled(text) if text else Styled(f"[{view.word(texts.TYPES, row['type'])}]", "dim")


def _state(row: Row, view: View) -> Styled:
    return coloured(row["state"], view.word(MESSAGE_STATES, row["state"]))


def told_reason(row: Row, view: View) -> str:
    """Why the message was skipped or set aside, in the operator's language."""
    return clean(told(str(row["reason"] or ""), view.language))


COLUMNS = (
    Column(texts.ID, message_id),
    Column(texts.TIME, lambda row, view: view.when(row["received_at"])),
    Column(texts.CHAT, lambda row, view: view.who(row["chat"]), from_width=50),
    Column(texts.SENDER, _sender, from_width=66),
    Column(texts.TYPE, lambda row, view: view.word(texts.TYPES, row["type"]), from_width=100),
    Column(texts.TEXT, message_text, share=1),
    Column(texts.STATE, _state),
    Column(texts.REASON, told_reason, from_width=130),
)

LISTING = Listing(
    COLUMNS, ("account", "chat", "sender"), texts.MESSAGES_SHOWN, texts.NO_MESSAGES, texts.NO_MESSAGES_HINT
)
