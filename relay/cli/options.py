"""Options that several commands have, and what they open."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import typer

from relay.cli import texts
from relay.clock import SystemClock
from relay.config import Config, load
from relay.errors import RefusalError
from relay.report import Report
from relay.roles import Loading, load_plugins, open_store

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", metavar="PATH", help="The bot's configuration.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, errors included.")]
Limit = Annotated[str | None, typer.Option("--limit", metavar="N", help="At most so many rows: 1 to 1000.")]

DEFAULT_CONFIG = Path("bot.toml")


@contextlib.contextmanager
def configured(path: Path) -> Iterator[Config]:
    """The configuration, in whose language whatever is refused from here on is told."""
    config = load(path)
    try:
        yield config
    except RefusalError as exc:
        exc.language = config.bot.language
        raise


@contextlib.asynccontextmanager
async def reporting(config: Config, *, read_only: bool = True) -> AsyncIterator[Report]:
    """Reports from the bot's database; `RefusalError` where there is none, and none is made."""
    if not config.database.is_file():
        values = {"path": config.database}
        raise RefusalError(texts.NO_DATABASE, texts.NO_DATABASE_HINT, values, exit_code=1)
    store = open_store(config, SystemClock(), read_only=read_only)
    try:
        yield Report(config, store, SystemClock())
    finally:
        store.close()


def quietly_loaded(config: Config) -> Loading:
    """The plugins; what they print goes to stderr, so that stdout stays readable for programs."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_plugins(config)
