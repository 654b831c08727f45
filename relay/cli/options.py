"""Options that several commands have, and what they open."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from relay.cli import completion, texts
from relay.clock import Clock, SystemClock
from relay.config import Config, load
from relay.errors import RefusalError, StorageError
from relay.operating.diagnosis import Examiner
from relay.operating.operator import Operator
from relay.operating.report import Report
from relay.roles import Loading, load_plugins, open_store
from relay.store.protocol import Store
from relay.store.sqlite.rehearsing import RehearsedStore

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", metavar="PATH", help="The bot's configuration.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, errors included.")]
Ids = Annotated[bool, typer.Option("--ids", help="Show ids in full, not names.")]
Limit = Annotated[str | None, typer.Option("--limit", metavar="N", help="At most so many rows: 1 to 1000.")]
Chats = Annotated[
    list[str] | None,
    typer.Option(
        "--chat",
        metavar="CHAT",
        help="A name in [chats] or an id; may be given again.",
        autocompletion=completion.chats,
    ),
]

DEFAULT_CONFIG = Path("bot.toml")


@contextlib.contextmanager
def configured(path: Path) -> Iterator[Config]:
    """The configuration, in whose language whatever is refused from here on is told."""
    config = load(path)
    try:
        yield config
    except (RefusalError, StorageError) as exc:
        exc.language = config.bot.language
        raise


@contextlib.asynccontextmanager
async def reporting(config: Config) -> AsyncIterator[Report]:
    """Reports from the bot's database, which stays as it is; `RefusalError` where there is none."""
    with _store(config) as store:
        yield Report(config, store, SystemClock())


@contextlib.contextmanager
def ever_run(config: Config) -> Iterator[Config]:
    """The configuration with a database that is there: one that never ran gets an empty one meanwhile."""
    if config.database.is_file():
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        url = f"sqlite:///{Path(folder) / 'empty.db'}"
        empty = replace(config, storage=config.storage.model_copy(update={"url": url}))
        open_store(empty, SystemClock()).close()
        yield empty


@contextlib.asynccontextmanager
async def looking(config: Config) -> AsyncIterator[Store]:
    """What the bot knows and remembers, to be read only; a bot that never ran knows nothing."""
    with ever_run(config) as found, _store(found) as store:
        yield store


@contextlib.contextmanager
def rehearsing(config: Config, clock: Clock) -> Iterator[RehearsedStore]:
    """The same with a copy of what plugins remember, which may be changed and is lost afterwards."""
    with ever_run(config) as found:
        store = RehearsedStore(found.database, clock)
        try:
            yield store
        finally:
            store.close()


@contextlib.asynccontextmanager
async def operating(config: Config) -> AsyncIterator[Operator]:
    """Somebody to change deliveries with; a database of another version is refused, not migrated."""
    with _store(config):
        pass
    with _store(config, read_only=False) as store:
        yield Operator(config, store)


@contextlib.asynccontextmanager
async def examining(config: Config, *, writing: bool = False) -> AsyncIterator[Examiner]:
    """Somebody to look at bodies that could not be read, and to take them in where that is asked for."""
    with _store(config) as store:
        if not writing:
            yield Examiner(config, store)
            return
    with _store(config, read_only=False) as store:
        yield Examiner(config, store)


@contextlib.contextmanager
def _store(config: Config, *, read_only: bool = True) -> Iterator[Store]:
    if not config.database.is_file():
        values = {"path": config.database}
        raise RefusalError(texts.NO_DATABASE, texts.NO_DATABASE_HINT, values, exit_code=1)
    store = open_store(config, SystemClock(), read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def quietly_loaded(config: Config) -> Loading:
    """The plugins; what they print goes to stderr, so that stdout stays readable for programs."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_plugins(config)
