"""`relay deliveries`: what goes out, where it stands, and what that rests on."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text as Styled

from relay.cli import completion, texts
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Ids, Json, Limit, configured, reporting
from relay.cli.screen import clean, print_json
from relay.cli.stored import told
from relay.cli.tables import Column, Listing, View, coloured, print_listing
from relay.config import Config
from relay.operating.questions import DELIVERY_STATES
from relay.store.protocol import Row

HELP = """Deliveries, newest first: one message to one target, where it stands, and what that rests on.

Examples:

- `relay deliveries` — the last 50
- `relay deliveries --state held,failed` — what needs somebody to look
- `relay deliveries --message m12` — everywhere that one message went
- `relay deliveries --chat east --limit 10 --json` — for programs
"""


def deliveries(
    config: ConfigPath = DEFAULT_CONFIG,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help=f"{', '.join(DELIVERY_STATES)}; several with commas.",
            autocompletion=completion.states,
        ),
    ] = None,
    chat: Annotated[
        list[str] | None,
        typer.Option(
            "--chat",
            metavar="CHAT",
            help="The target: a name in [chats] or an id.",
            autocompletion=completion.chats,
        ),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", metavar="ID", help="Only deliveries of this message.")
    ] = None,
    limit: Limit = None,
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        rows = asyncio.run(_ask(read, state or [], chat or [], message, limit))
        if json:
            print_json(rows)
        else:
            asked = (("--state", state), ("--chat", chat), ("--message", message))
            print_listing(read, LISTING, rows, [name for name, value in asked if value], ids=ids)


async def _ask(
    config: Config, states: list[str], chats: list[str], message: str | None, limit: str | None
) -> list[Row]:
    async with reporting(config) as report:
        return await report.deliveries(states=states, chats=chats, message=message, limit=limit)


def _state(row: Row, view: View) -> Styled:
    return coloured(row["state"], view.word(DELIVERY_STATES, row["state"]))


def _rule(row: Row, _: View) -> str:
    return clean(str(row["rule"] or row["plugin"]))


def _error(row: Row, view: View) -> Styled:
    return Styled(clean(told(str(row["error"] or ""), view.language)), "red")


COLUMNS = (
    Column(texts.ID, lambda row, _: Styled(str(row["id"]), "dim")),
    Column(texts.TIME, lambda row, view: view.when(row["updated_at"])),
    Column(
        texts.MESSAGE,
        lambda row, _: Styled(str(row["message_id"] or row["occasion_id"]), "dim"),
        from_width=70,
    ),
    Column(texts.KIND, lambda row, view: view.word(texts.KINDS, row["kind"]), from_width=90),
    Column(texts.ACCOUNT, lambda row, view: view.who(row["account"]), from_width=130),
    Column(texts.TARGET, lambda row, view: view.who(row["target"])),
    Column(texts.STATE, _state),
    Column(texts.EVIDENCE, lambda row, view: view.word(texts.EVIDENCES, row["evidence"]), from_width=90),
    Column(texts.ATTEMPTS, lambda row, _: str(row["attempts"]), from_width=100, right=True),
    Column(texts.RULE, _rule, from_width=76, share=1),
    Column(texts.ERROR, _error, from_width=50, share=2),
)

LISTING = Listing(
    COLUMNS, ("account", "target"), texts.DELIVERIES_SHOWN, texts.NO_DELIVERIES, texts.NO_DELIVERIES_HINT
)
