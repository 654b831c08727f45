"""`relay check`: every problem of configuration and plugins, before they matter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.census import IN_FULL, Census, census
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json
from relay.cli.problems import problem_row, show_problem
from relay.cli.screen import clean, print_json, screen
from relay.clock import SystemClock
from relay.config import Config, load
from relay.config.lines import placed
from relay.errors import ConfigurationError, LostPluginError, PluginError, Problem, StorageError
from relay.language import COLON, Language, Text, language_of
from relay.log import Masking
from relay.operating.report import plugin_rows
from relay.operating.strangers import never_met
from relay.roles import open_store
from relay.routing.loader import Found
from relay.store.protocol import Row

HELP = """Read configuration and plugins and tell every problem, one a line; nothing is started or sent.

Ends with 0 where the bot would start, with 2 where it would not. A plugin that does not load is told with
file and line; each has 20 seconds for it.

Examples:

- `relay check`
- `relay check --config other/bot.toml`
- `relay check --json` — `{"ok", "problems", "warnings", "plugins"}`, and with problems `error` and `hint`
- `relay check --strict` — with a warning, too, it ends with 2
- `relay check --strict --allow route_cycle` — warnings with this `code` are meant so, and left out
"""

Strict = Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", metavar="CODE", help="Leave out the warnings with this code.")
]

ROOM = 60  # columns from which on the line is told before the key
WARNED = Text("{path}：{count} 个提醒（--strict）", "{path}: {count} warning{s} (--strict)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found; without a configuration where that could not be read."""

    path: Path
    language: Language
    problems: tuple[Problem, ...]
    config: Config | None = None
    loading: Census | None = None
    failed: tuple[PluginError, ...] = ()
    warnings: tuple[Problem, ...] = ()
    strict: bool = False

    @property
    def count(self) -> int:
        """How many problems there are, plugins that do not load included."""
        return len(self.problems) + len(self.failed)

    @property
    def is_bad(self) -> bool:
        """Whether the command ends with 2."""
        return bool(self.count or (self.strict and self.warnings))

    @property
    def headline(self) -> str:
        """How many problems there are, in words, or else how many warnings."""
        text, count = (texts.PROBLEMS, self.count) if self.count else (WARNED, len(self.warnings))
        return clean(self.said(text, path=self.path, count=count, s="" if count == 1 else "s"))

    def said(self, text: Text, **values: object) -> str:
        """A text in the bot's language."""
        return text.said(self.language, **values)


def check(
    config: ConfigPath = DEFAULT_CONFIG, json: Json = False, strict: Strict = False, allow: Allow = None
) -> None:
    """The command; `HELP` explains it."""
    outcome = look(config, strict=strict, allowed=allow or ())
    if json:
        print_json(_row(outcome))
    else:
        _show(outcome, screen())
    if outcome.is_bad:
        raise typer.Exit(2)


def look(path: Path, *, strict: bool = False, allowed: Collection[str] = ()) -> Outcome:
    """Check what this file configures; warnings with these codes are allowed."""
    try:
        config = load(path)
    except ConfigurationError as exc:
        return Outcome(path, exc.language or language_of(os.environ), _placed(exc.problems, path))
    loading = census(config, IN_FULL)
    masking = Masking(config.secrets())
    failed = tuple(error.placed(_near(error.file), masking.text) for _, error in loading.failed)
    advice = [*loading.advice(config), *_strangers(config)]
    warnings = _placed((each for each in advice if each.code not in allowed), path)
    problems = _placed(loading.problems, path)
    return Outcome(path, config.bot.language, problems, config, loading, failed, warnings, strict)


def _strangers(config: Config) -> Sequence[Problem]:
    """Ids that nobody of ours has met, where there is a database that can tell."""
    if not config.database.is_file():
        return ()
    try:
        store = open_store(config, SystemClock(), read_only=True)
    except StorageError:
        return ()
    try:
        return asyncio.run(never_met(config, store))
    except StorageError:
        return ()
    finally:
        store.close()


def _placed(problems: Iterable[Problem], path: Path) -> tuple[Problem, ...]:
    """The problems with the lines of what they are about."""
    found = tuple(problems)
    if not found or any(problem.excerpt for problem in found):
        return found
    try:
        known = placed(found, path.read_text("utf-8"))
    except (OSError, ValueError):
        return found
    return tuple(sorted(known, key=lambda problem: problem.line or 0))


def _near(file: str | None) -> str | None:
    """The path as somebody here would type it."""
    if file is None:
        return None
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative


def _row(outcome: Outcome) -> Row:
    row: Row = {
        "ok": not outcome.is_bad,
        "problems": [
            *(problem_row(problem, outcome.language) for problem in outcome.problems),
            *(_failed_row(error, outcome.language) for error in outcome.failed),
        ],
        "warnings": [
            {**problem_row(warning, outcome.language), "line": warning.line} for warning in outcome.warnings
        ],
        "plugins": plugin_rows(outcome.config, outcome.loading) if outcome.config and outcome.loading else [],
    }
    if outcome.is_bad:
        row["error"] = outcome.headline
        row["hint"] = outcome.said(texts.CONFIGURATION_HINT)
    return row


def _failed_row(error: PluginError, language: Language) -> Row:
    """With `line`, which the supervisor knows it by as one that the bot can start without."""
    row = problem_row(error.problem, language)
    return row if isinstance(error, LostPluginError) else {**row, "line": error.line}


def _show(outcome: Outcome, console: Console) -> None:
    if outcome.is_bad:
        console.print(Styled(f"✗ {outcome.headline}", "bold red"), soft_wrap=True)
    else:
        console.print(
            Styled(f"✓ {outcome.said(texts.FINE, path=outcome.path)}", "bold green"), soft_wrap=True
        )
    for problem in outcome.problems:
        show_problem(console, problem, outcome.language, _at_line(outcome, problem, console))
    for error in outcome.failed:
        place = error.problem.path + (f":{error.line}" if error.line else "")
        show_problem(console, replace(error.problem, path=place), outcome.language)
    for warning in outcome.warnings:
        label = f"{outcome.said(texts.WARNING)} {_at_line(outcome, warning, console)}".rstrip()
        show_problem(console, warning, outcome.language, label)
    if outcome.config and outcome.loading and not outcome.is_bad:
        console.print(_summary(outcome, outcome.config, outcome.loading))


def _at_line(outcome: Outcome, problem: Problem, console: Console) -> str:
    """`bot.toml:12`, where it is known and there is room."""
    known = problem.line and console.width >= ROOM
    return f"{clean(outcome.path.name)}:{problem.line}" if known else ""


def _summary(outcome: Outcome, config: Config, loading: Census) -> Table:
    """What the bot would be, in a few lines."""
    grid = Table.grid(padding=(0, 2))
    for label, values in _facts(outcome, config, loading):
        for index, value in enumerate(values):
            grid.add_row("", Styled("" if index else outcome.said(label), "dim"), value)
    return grid


def _facts(outcome: Outcome, config: Config, loading: Census) -> Iterator[tuple[Text, Sequence[Styled]]]:
    accounts = ", ".join(config.platform.accounts) or outcome.said(texts.LISTED)
    yield texts.ACCOUNTS, [Styled(clean(accounts))]
    names = config.chats.names
    colon = outcome.said(COLON) if names else ""
    listed = f"{outcome.said(texts.NAMED, count=len(names))}{colon}{', '.join(names)}"
    yield texts.CHATS, [Styled(clean(listed))]
    yield texts.PLUGINS, [_plugin(outcome, config, each) for each in loading.loaded]
    yield texts.CALLBACKS, [Styled(f"http://{_at(config.server.host, config.server.port)}/…")]
    yield texts.CALLBACKS_FROM, [Styled(_allowed(outcome, config))]
    console = f"http://{_at(config.console.host, config.console.port)}/"
    yield texts.CONSOLE, [Styled(console if config.console.enabled else outcome.said(texts.OFF))]
    yield texts.DATABASE, [Styled(clean(str(_near(str(config.database)))))]


def _allowed(outcome: Outcome, config: Config) -> str:
    """Who may post."""
    said = [outcome.said(texts.PLATFORM_LIST)] if config.server.platform_ips else []
    return ", ".join([*map(str, config.server.allowed_networks), *said]) or outcome.said(texts.ANY_ADDRESS)


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _plugin(outcome: Outcome, config: Config, plugin: Found) -> Styled:
    """A plugin with what its table lists: `group_mirror  routes: 2 (1 off)`."""
    line = Styled(clean(plugin.name), "bold")
    for key, value in config.plugins.settings.get(plugin.name, {}).items():
        tables = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
        if tables:
            off = sum(item.get("enabled") is False for item in tables)
            line.append(f"  {clean(key)}: {len(tables)}").append(_off(outcome, off), "dim")
    return line


def _off(outcome: Outcome, count: int) -> str:
    return outcome.said(texts.SOME_OFF, count=count) if count else ""
