"""`relay diagnose`: what is wrong with callbacks that could not be read, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json, Limit, configured, examining
from relay.cli.screen import print_json, screen
from relay.cli.tables import Column, View, print_table
from relay.clock import SystemClock
from relay.config import Config
from relay.language import COLON
from relay.operating.diagnosis import ADVICE, LOOKS, NOW_READABLE, READABLE, REASONS, Diagnosis
from relay.operating.questions import limit_asked
from relay.store.protocol import Row

HELP = """What is wrong with callbacks that could not be read: the key, the form, the padding or the JSON.

Each is judged anew with bot.toml as it is now, so after a correction this tells whether it helped. Nothing of
what is in them is shown.

Examples:

- `relay diagnose` — the verdict, and the last 50
- `relay diagnose --take-in` — after the key was corrected: takes in what can be read now, as received when it
  was; too late to be answered stays unanswered (`relay retry` sends it all the same)
- `relay diagnose --limit 1000 --json` — for programs
"""


def diagnose(
    config: ConfigPath = DEFAULT_CONFIG,
    limit: Limit = None,
    take_in: Annotated[
        bool, typer.Option("--take-in", help="Take in those that can be read now, each entry once.")
    ] = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        most = limit_asked(limit)
        if take_in:
            _tell(read, *asyncio.run(_take_in(read)), json=json)
            return
        diagnosis = asyncio.run(_ask(read))
        if json:
            print_json(diagnosis.row(read.bot.language, most))
        else:
            _show(read, diagnosis, most)


async def _ask(config: Config) -> Diagnosis:
    async with examining(config) as examiner:
        return await examiner.diagnose()


async def _take_in(config: Config) -> tuple[int, int]:
    async with examining(config, writing=True) as examiner:
        return await examiner.take_in()


def _tell(config: Config, bodies: int, entries: int, *, json: bool) -> None:
    if json:
        print_json({"bodies": bodies, "entries": entries})
    else:
        screen().print(texts.TAKEN_IN.said(config.bot.language, bodies=bodies, entries=entries))


def _show(config: Config, diagnosis: Diagnosis, limit: int) -> None:
    console = screen()
    view = View(config, SystemClock().now(), console.width)
    if not diagnosis.findings:
        console.print(view.said(texts.ALL_READ))
        return
    _headline(console, view, diagnosis)
    rows = [each.row(view.language) for each in diagnosis.findings[:limit]]
    print_table(console, COLUMNS, rows, view)
    told = view.said(texts.BODIES_SHOWN, count=len(rows), kept=len(diagnosis.findings), zone=view.zone.key)
    console.print(told, style="dim")
    for reason in diagnosis.reasons:
        head = Styled(view.said(REASONS[reason]) + view.said(COLON), "bold")
        console.print(head.append(view.said(ADVICE[reason]), ""))


def _headline(console: Console, view: View, diagnosis: Diagnosis) -> None:
    """The verdict first: whoever asks wants to know what to change."""
    verdict = diagnosis.verdict(view.language)
    if verdict:
        console.print(Styled(verdict, "bold red"))
    if diagnosis.readable:
        console.print(Styled(view.said(NOW_READABLE, count=diagnosis.readable), "green"))
    console.print()


def _now(row: Row, view: View) -> Styled:
    if row["now"] == READABLE:
        return Styled(view.said(texts.READABLE), "green")
    return Styled(view.word(REASONS, row["now"]), "red")


COLUMNS = (
    Column(texts.ID, lambda row, _: Styled(str(row["id"]), "dim")),
    Column(texts.TIME, lambda row, view: view.when(row["received_at"])),
    Column(texts.BYTES, lambda row, _: str(row["bytes"]), right=True),
    Column(texts.FAILED_AT, lambda row, view: view.word(REASONS, row["failed"])),
    Column(texts.LOOKS_LIKE, lambda row, view: view.word(LOOKS, row["looks"]), from_width=60),
    Column(texts.NOW, _now),
)
