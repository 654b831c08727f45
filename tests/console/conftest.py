"""The private door of a bot that has mirrored a message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from relay.config import Config, load
from relay.console.app import create_console
from relay.console.rehearsals import Rehearse
from relay.operating.questions import line_asked
from relay.roles import build_rehearsal, load_plugins, open_store
from relay.store.sqlite import SqliteStore
from relay.store.sqlite.rehearsing import RehearsedStore
from relay.testing import SECRETS, Bot, ManualClock, asgi_call

ACCOUNT = "1688850000000001"
EAST, WEST = "R:10950000000000001", "R:10950000000000002"
CUSTOMER = "7881300000000001"
PASSWORD = SECRETS["RELAY_CONSOLE_PASSWORD"]
KEY = {"authorization": f"Bearer {PASSWORD}"}
TOML = f"""
[bot]
language = "en"
[chats]
east = "{EAST}"
west = "{WEST}"
[[plugins.group_mirror.routes]]
name = "both ways"
between = ["east", "west"]
"""

Ask = Callable[..., tuple[int, Any]]


@dataclass(frozen=True)
class Door:
    """The app, and what it stands on."""

    config: Config
    store: SqliteStore
    clock: ManualClock
    app: Starlette

    def with_console(self, **keys: object) -> Starlette:
        """The same door with other keys in [console]."""
        console = self.config.console.model_copy(update=keys)
        config = replace(self.config, console=console)
        return create_console(config, self.store, load_plugins(config), self.clock)


def rehearsing(config: Config, clock: ManualClock) -> Rehearse:
    """`POST /api/try` in this process: what the child would print, without the second that it takes."""
    loading = load_plugins(config)

    async def rehearse(asked: bytes) -> Response:
        line = line_asked(**json.loads(asked), chats=config.chats)
        copy = RehearsedStore(config.database, clock)
        try:
            return JSONResponse(await build_rehearsal(config, copy, clock, loading).say(line))
        finally:
            copy.close()

    return rehearse


async def _fill(folder: Path) -> ManualClock:
    async with Bot(TOML, accounts=(ACCOUNT,), folder=folder) as bot:
        bot.simulator.add_account(ACCOUNT, "Assistant")
        bot.simulator.add_contact(CUSTOMER, "Emma")
        for room in (EAST, WEST):
            bot.simulator.add_room(room, "Customers", [ACCOUNT, CUSTOMER])
        bot.simulator.say(EAST, CUSTOMER, "hello")
        await bot.work()
        return bot.clock


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    clock = asyncio.run(_fill(folder))
    config = load(folder / "bot.toml", SECRETS)
    store = open_store(config, clock)
    app = create_console(config, store, load_plugins(config), clock, rehearsing(config, clock))
    yield Door(config, store, clock, app)
    store.close()


@pytest.fixture
def ask(door: Door) -> Ask:
    """One request with the password: `ask("/api/status")`; `headers` replace those that are sent."""

    def ask(
        path: str, headers: Mapping[str, str] = KEY, method: str = "GET", body: bytes = b""
    ) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        status, body = asyncio.run(asgi_call(door.app, method, path, query=asked, headers=headers, body=body))
        return status, json.loads(body) if body[:1] in (b"{", b"[") else body.decode()

    return ask
