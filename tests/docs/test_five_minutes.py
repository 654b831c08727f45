"""The five minutes of the page about plugins, followed line by line, but for the demo's own processes."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from benched import run_tests
from bots import ANN, EAST, ONE, entry
from docs.readme import PLUGINS, Block, Readme
from docs.test_plugins import cases

from relay.cli.demo_setup import Ports, Setup
from relay.cli.program import execute
from relay.config import load
from relay.roles import build_router, load_plugins, open_store
from relay.simulator.clockwork import ManualClock
from relay.simulator.entries import notification, to_json
from relay.wire.notifications import read_notifications

Capture = pytest.CaptureFixture[str]


class Reader:
    """Somebody who types what the page says, in a folder of theirs."""

    def __init__(self, page: Readme, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: Capture) -> None:
        self._first, self._second = cases(page)[:2]
        self._go, self._capture = monkeypatch.chdir, capture
        self._folder = folder
        self.said = ""

    def type(self, line: str) -> None:
        """Do what the line does; what it prints is `said`."""
        words = shlex.split(line)
        match words:
            case ["relay", "demo", *_, name]:
                (self._folder / name).mkdir()
                Setup(Ports(1, 2, 3), "en" if "en" in words else "zh").write(self._folder / name)
                asyncio.run(hear(self._folder / name / "bot.toml"))
            case ["relay", *arguments]:
                self._capture.readouterr()
                assert execute(arguments) == 0, (line, self._capture.readouterr().err)
                self.said = self._capture.readouterr().out
            case ["cd", folder]:
                self._go(self._folder / folder)
            case ["cp", "-r", ".", there]:
                shutil.copytree(".", there)
            case ["python", "-m", "pytest", folder]:
                self.test(Path(folder) / "test_greeter.py")
            case _:
                pytest.fail(f"who knows {line}?")

    def test(self, file: Path) -> None:
        """Run the tests that are there now."""
        assert run_tests(file.read_text("utf-8"), file.with_name("greeter.py"))

    def change(self) -> None:
        """Save the second version, test first, and then break it."""
        plugin, test = Path("plugins/greeter.py"), Path("plugins/test_greeter.py")
        assert (plugin.read_text("utf-8"), test.read_text("utf-8")) == (self._first.plugin, self._first.tests)
        test.write_text(self._second.tests, "utf-8")
        with pytest.raises(AssertionError):
            self.test(test)
        plugin.write_text(self._second.plugin, "utf-8")
        self.test(test)
        plugin.write_text(self._second.plugin.replace("Plugin, Reply", "Plugin, Repli"), "utf-8")


async def hear(config: Path) -> None:
    """Let the demo's bot have heard somebody."""
    read, clock = load(config), ManualClock()
    store = open_store(read, clock)
    await store.add_accounts([ONE], "configured")
    said = to_json(entry(text="hello", chat_wxid=EAST, from_wxid=ANN))
    await store.ingest(read_notifications(notification("chatMsg", ONE, said)).entries)
    await build_router(read, store, clock, load_plugins(read).loaded).drain()
    store.close()


@pytest.mark.parametrize("page", PLUGINS, ids=lambda page: page.name)
def test_the_five_minutes_can_be_followed(
    page: Readme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setattr(sys, "argv", ["relay"])
    monkeypatch.setenv("COLUMNS", "200")
    reader = Reader(page, tmp_path, monkeypatch, capfd)
    for block in five_minutes(page):
        if block.language == "text":
            told = ".*".join(re.escape(part) for part in block.code.split("…"))
            assert re.search(told.replace("\\\n", "\n").strip(), reader.said, re.DOTALL), reader.said
            Path("plugins/greeter.py").write_text(cases(page)[1].plugin, "utf-8")
        elif block.language == "sh":
            if block.code.strip() == "relay plugins":
                reader.change()
            for line in block.code.splitlines():
                reader.type(line)


def five_minutes(page: Readme) -> Iterator[Block]:
    """The blocks before the next section."""
    return takewhile(lambda block: 'Plugin("ticket"' not in block.code, page.blocks)
