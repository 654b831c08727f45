"""One command line in this process, and a bot with something to tell."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.cli.program import execute
from relay.clock import SystemClock
from relay.simulator.clockwork import ManualClock
from relay.testing import SECRETS, Bot

ACCOUNT = "1688850000000001"
EAST, WEST = "R:10950000000000001", "R:10950000000000002"
CUSTOMER = "7881300000000001"
HOSTILE = "[red]价格[/red] \x1b[31m \u202egnp.exe \u2066 \ud800"

TOML = f"""
[bot]
language = "zh"

[chats]
east = "{EAST}"
west = "{WEST}"
both = ["east", "west"]

[[plugins.group_mirror.routes]]
name = "both ways"
between = ["both"]

[[plugins.keyword_reply.rules]]
name = "price"
contains = ["价格"]
reply = "您好"
"""

ASKING = """
from relay import Plugin, Reply

plugin = Plugin("asking")

@plugin.on_message(contains=["order"])
async def begin(message, ctx):
    return Reply("which one?", then=which, within="10m")

async def which(message, ctx):
    return Reply(f"one {message.text}")
"""


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401, RUF100 - whatever it printed
        return json.loads(self.out)


Relay = Callable[..., Ended]
Terminal = Callable[[str], None]


@pytest.fixture
def relay(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Relay:
    """Runs a command line: `relay("messages", "--json")`; the environment has the secrets, and is English."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for name in ("LC_ALL", "LC_MESSAGES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["relay"])

    def run(*arguments: str, columns: int | None = None) -> Ended:
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        capfd.readouterr()
        code = execute(arguments)
        told = capfd.readouterr()
        return Ended(code, told.out, told.err)

    return run


class _Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Somebody at a terminal, who types this."""
    return lambda typed: monkeypatch.setattr(sys, "stdin", _Keyboard(f"{typed}\n"))


async def _fill(folder: Path) -> None:
    async with Bot(TOML, accounts=(ACCOUNT,), folder=folder) as bot:
        bot.simulator.add_account(ACCOUNT, "小助手")
        bot.simulator.add_contact(CUSTOMER, "李伟")
        for room in (EAST, WEST):
            bot.simulator.add_room(room, "客户群", [ACCOUNT, CUSTOMER])
        for text in ("大家好，" + "很长的话" * 40, HOSTILE, "hello"):
            bot.simulator.say(EAST, CUSTOMER, text)
            await bot.work()
            bot.clock.jump(1)


async def ask(folder: Path, *texts: str) -> None:
    """A bot asks whoever says "order", just now; a customer says this in the East."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "asking.py").write_text(ASKING, "utf-8")
    clock = ManualClock(SystemClock().now())
    async with Bot(TOML, accounts=(ACCOUNT,), folder=folder, clock=clock) as bot:
        bot.simulator.add_account(ACCOUNT, "")
        bot.simulator.add_contact(CUSTOMER, "")
        bot.simulator.add_room(EAST, "", [ACCOUNT, CUSTOMER])
        for text in texts:
            bot.simulator.say(EAST, CUSTOMER, text)
            await bot.work()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bot.toml of a bot that has mirrored three messages and answered one; tests only read it."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(_fill(folder))
    return folder / "bot.toml"


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bot that was opened once; nobody works in it."""
    folder = tmp_path_factory.mktemp("opened")
    asyncio.run(_open(folder))
    return folder


@pytest.fixture
def empty(tmp_path: Path, opened: Path) -> Path:
    """The bot.toml of a bot that has a database, and nothing in it."""
    shutil.copytree(opened, tmp_path, dirs_exist_ok=True)
    return tmp_path / "bot.toml"


async def _open(folder: Path) -> None:
    async with Bot(TOML, folder=folder):
        pass


@pytest.fixture
def fresh(empty: Path) -> Path:
    """The bot.toml of a bot that never ran."""
    for kept in empty.parent.glob("relay.db*"):
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    return empty
