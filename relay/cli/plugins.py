"""`relay plugins`: which plugins there are, and why one does not run."""

from __future__ import annotations

import asyncio

import typer
from rich.text import Text as Styled

from relay.cli import scaffold, texts
from relay.cli.census import AT_A_LOOK, census
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json, configured, looking
from relay.cli.screen import clean, print_json, screen
from relay.cli.standing import standing_lines
from relay.cli.status import SOURCES, error_text, observed_lines
from relay.cli.tables import View, coloured
from relay.clock import SystemClock
from relay.config import Config
from relay.operating.report import plugin_rows
from relay.operating.running import as_they_run
from relay.store.protocol import Row

HELP = """Every plugin with its state, in the order in which they run; what does not load, with its place.

It loads the files as they are now, beside a bot that may be running. `folder` is a file in plugins.folder,
`installed` one of a Python distribution, `shipped` one that came with relay.

Examples:

- `relay plugins`
- `relay plugins --json` — for programs: `[{"name", "source", "state", "error", …}]`
- `relay plugins new greeter` — writes a plugin and its test
"""
MORE = {"new": scaffold}
"""Its own commands."""


def plugins(context: typer.Context, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """The command; `HELP` explains it."""
    if context.invoked_subcommand is not None:
        return
    with configured(config) as read:
        rows, observed = asyncio.run(_standing(read, plugin_rows(read, census(read, AT_A_LOOK))))
        if json:
            print_json(rows)
        else:
            _show(read, rows, observed)


async def _standing(config: Config, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    async with looking(config) as store:
        return await as_they_run(rows, store, SystemClock()), await store.observed()


def _show(config: Config, rows: list[Row], observed: list[Row]) -> None:
    console = screen()
    view = View(config, SystemClock().now(), console.width)
    if not rows:
        console.print(view.said(texts.NO_PLUGINS))
    widest = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        console.print(_line(row, view, widest), soft_wrap=True)
        if isinstance(row["error"], dict):
            console.print(Styled(f"  {error_text(row['error'])}", "red"), soft_wrap=True)
        for told in standing_lines(row, view):
            console.print(Styled("  ").append_text(told), soft_wrap=True)
    for line in observed_lines({"observed": observed}, view):
        console.print(Styled("  ").join(line), soft_wrap=True)


def _line(row: Row, view: View, widest: int) -> Styled:
    line = Styled().append(clean(str(row["name"])).ljust(widest + 2), "bold")
    line.append_text(coloured(row["state"], view.word(texts.PLUGIN_STATES, row["state"])))
    line.append(f"  {view.word(SOURCES, row['source'])}", "dim")
    return line.append(f", {view.said(texts.OBSERVES)}" if row["observe"] else "", "dim")
