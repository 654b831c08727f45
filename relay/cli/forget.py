"""`relay forget`: remove what one person said."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated

import apsw
import typer
from rich.progress import Progress

from relay.cli import texts
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json, configured
from relay.cli.screen import print_json, screen
from relay.clock import SystemClock
from relay.config import Config
from relay.errors import RefusalError, StorageError
from relay.language import Language
from relay.store.protocol import Row
from relay.store.sqlite.forgetting import Forgetting

HELP = """Remove what a person said, in rooms and in private chats, what was made of it, and their name.

Ids of messages stay, so that a repeated push is not acted on. What is not reached is told: copies of the
database, the platform's own log, bodies that could not be read.

Examples:

- `relay forget 7881300000000001` — after a question
- `relay forget 7881300000000001 --yes --json` — for programs; drops what was still to be sent
"""

OPEN = ("queued", "held")
COUNTED = ("messages", "deliveries", "discarded", "names", "plugin_state", "conversations")
ON_THE_WAY = ("sending", "unknown")


def forget(
    wxid: Annotated[
        str, typer.Argument(metavar="WXID", help="The person's id, as relay messages --ids shows it.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, and drop what is still to be sent.")
    ] = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read, _known(read, wxid) as person:
        _refuse_unfit(person, yes=yes)
        if not yes:
            _confirm(person, read.bot.language)
        row = _forgotten(person)
        if json:
            print_json(row)
        else:
            _tell(row, read.bot.language)


@contextlib.contextmanager
def _known(config: Config, wxid: str) -> Iterator[Forgetting]:
    if not config.database.is_file():
        raise RefusalError(texts.NO_DATABASE, texts.NO_DATABASE_HINT, {"path": config.database}, exit_code=1)
    try:
        person = Forgetting(config.database, wxid)
    except apsw.Error as exc:
        raise StorageError(str(exc)) from exc
    with contextlib.closing(person):
        yield person


def _refuse_unfit(person: Forgetting, *, yes: bool) -> None:
    values = {"wxid": person.wxid}
    if not person.wxid or person.wxid.startswith("R:"):
        raise RefusalError(texts.NO_PERSON, texts.NO_PERSON_HINT, values)
    if person.is_ours():
        raise RefusalError(texts.OUR_OWN, texts.NO_PERSON_HINT, values)
    states = person.deliveries()
    if under_way := sum(states[state] for state in ON_THE_WAY):
        raise RefusalError(
            texts.ON_THE_WAY, texts.ON_THE_WAY_HINT, {**values, "count": under_way}, exit_code=1
        )
    if (still := sum(states[state] for state in OPEN)) and not yes:
        raise RefusalError(texts.STILL_OPEN, texts.STILL_OPEN_HINT, {**values, "count": still}, exit_code=1)


def _confirm(person: Forgetting, language: Language) -> None:
    values = {
        "wxid": person.wxid,
        "messages": len(person.messages),
        "deliveries": person.deliveries().total(),
    }
    if not sys.stdin.isatty():
        raise RefusalError(texts.NOBODY_TO_ASK_OF, texts.NOBODY_TO_ASK_HINT, values)
    if not typer.confirm(texts.FORGET_QUESTION.said(language, **values), err=True):
        raise RefusalError(texts.NOT_WISHED, exit_code=1)


def _forgotten(person: Forgetting) -> Row:
    console = screen(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1.0)
        done = person.forget(SystemClock().now(), lambda part: progress.update(task, completed=part))
    counts = {name: done[name] for name in COUNTED}
    return {
        "wxid": person.wxid,
        **counts,
        "log_cut": person.cut_log(),
        "not_reached": list(texts.NOT_REACHED),
    }


def _tell(row: Row, language: Language) -> None:
    console = screen()
    console.print(texts.FORGOTTEN.said(language, **row), soft_wrap=True)
    if not any(row[name] for name in COUNTED):  # a typing error looks like a person of whom nothing is kept
        console.print(texts.NOTHING_KNOWN.said(language, **row), style="yellow", soft_wrap=True)
    if not row["log_cut"]:
        console.print(texts.LOG_NOT_CUT.said(language), soft_wrap=True)
    console.print(texts.NOT_REACHED_ARE.said(language), style="dim")
    for text in texts.NOT_REACHED.values():
        console.print("  " + text.said(language), style="dim", soft_wrap=True)
