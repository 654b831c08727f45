"""Plugins that pip installed: a wheel is built and installed as anybody's is, and the bot tells of it.

Without a network, and without what builds wheels: one is a zip file with a few words in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes.live import CUSTOMER, LiveBot, free_ports, platform, rooms, until

pytestmark = pytest.mark.long

GREETER = """
from pydantic import BaseModel
from relay import Plugin, Reply
from greetings.words import WORDS

class Settings(BaseModel):
    name: str = "you"

plugin = Plugin("greeter", settings=Settings)

@plugin.on_message(types=["text"])
async def greet(message, ctx):
    if message.text == "hi":
        return Reply(f"{WORDS} {ctx.settings.name}")
"""
MODULES = {
    "greetings/__init__.py": "",
    "greetings/greeter.py": GREETER,
    "greetings/words.py": "WORDS = 'good day to'\n",
    "greetings/broken.py": "from relay import Plugin\n\nplugin = Plugin('broken', 1 / 0)\n",
}
OVERRIDE = """
from relay import Plugin, Reply
plugin = Plugin("greeter")

@plugin.on_message
async def greet(message, ctx):
    return Reply("from the folder")
"""
INFO = "greetings-1.0.dist-info"
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[relay.plugins]\ngreeter = greetings.greeter\nbroken = greetings.broken:plugin\n",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put the distribution."""
    folder = tmp_path_factory.mktemp("distribution")
    files = {**MODULES, **{f"{INFO}/{name}": text for name, text in ABOUT.items()}}
    with zipfile.ZipFile(folder / "greetings-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{INFO}/RECORD", "".join(f"{name},,\n" for name in (*files, f"{INFO}/RECORD")))
        built = str(wheel.filename)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated", "install"]
    how = ["--no-deps", "--no-index", "--no-cache-dir", "--target", str(folder / "site")]
    done = subprocess.run([*pip, *how, built], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Installation:
    """A bot in an environment where the distribution is installed."""

    bot: LiveBot

    def relay(self, *words: str) -> Ended:
        """A command line of its own, as a person types it."""
        command = [sys.executable, "-m", "relay", *words, "--config", str(self.bot.config)]
        done = subprocess.run(
            command, env=self.bot.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout)

    def plugins(self) -> dict[str, Any]:
        """What `relay plugins` says of each."""
        return {each["name"]: each for each in self.relay("plugins", "--json").told}

    def says(self, text: str) -> list[str]:
        """What it would answer, plugin by plugin."""
        tried = self.relay("try", text, "--chat", rooms(0)[0], "--sender", CUSTOMER, "--json").told
        sent = [each for each in tried["decisions"] if each["kind"] == "send"]
        return [f"{each['plugin']}: {json.dumps(each['messages'])}" for each in sent]

    def add(self, toml: str) -> None:
        with self.bot.config.open("a", encoding="utf-8") as config:
            config.write(toml)

    def override(self) -> None:
        (self.bot.folder / "plugins").mkdir()
        (self.bot.folder / "plugins" / "greeter.py").write_text(OVERRIDE, "utf-8")


@pytest.fixture
def installation(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    beside = filter(None, (str(site), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(beside))
    return Installation(LiveBot(tmp_path, free_ports(3)))


def test_what_pip_installed_is_shown_with_its_source_and_what_is_broken_by_file_and_line(
    installation: Installation, site: Path
) -> None:
    shown = installation.plugins()
    greeter, broken = shown["greeter"], shown["broken"]
    assert (greeter["source"], greeter["state"], greeter["error"]) == ("installed", "active", None)
    assert (broken["source"], broken["state"]) == ("installed", "failed")
    assert "ZeroDivisionError" in broken["error"]["message"]
    assert (broken["error"]["file"], broken["error"]["line"]) == (str(site / "greetings/broken.py"), 3)
    assert {name for name, each in shown.items() if each["source"] == "shipped"} == {
        "group_mirror",
        "keyword_reply",
    }


def test_check_names_the_broken_one_and_passes_once_it_is_disabled(
    installation: Installation, site: Path
) -> None:
    refused = installation.relay("check", "--json")
    assert refused.code == 2
    assert str(site / "greetings/broken.py") in refused.out
    installation.add('[plugins]\ndisabled = ["broken"]\n')
    assert installation.relay("check", "--json").code == 0


def test_its_settings_are_read_and_wrong_ones_refused_with_their_path(installation: Installation) -> None:
    installation.add('[plugins]\ndisabled = ["broken"]\n[plugins.greeter]\nname = "Ann"\n')
    assert installation.relay("check", "--json").code == 0
    assert "good day to Ann" in installation.says("hi")[0]
    text = installation.bot.config.read_text("utf-8")
    for wrong in ("name = 7", 'nam = "Ann"'):
        installation.bot.config.write_text(text.replace('name = "Ann"', wrong), "utf-8")
        refused = installation.relay("check", "--json")
        assert (refused.code, f"plugins.greeter.{wrong.split()[0]}" in refused.out) == (2, True)


def test_a_file_in_the_folder_overrides_what_pip_installed(installation: Installation) -> None:
    assert "good day to you" in installation.says("hi")[0]
    installation.override()
    greeter = installation.plugins()["greeter"]
    assert (greeter["source"], greeter["state"]) == ("folder", "active")
    (told,) = installation.says("hi")
    assert "from the folder" in told


def test_a_running_bot_answers_by_it_though_its_neighbour_is_broken(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))

    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            await bot.start()
            room = rooms(0)[0]
            simulator.say(room, CUSTOMER, "hi")
            await until(lambda: b"good day to you" in simulator.ledger.in_chat(room)[-1].content)
            assert [line["plugin"] for line in bot.told("plugin_not_loaded")][:1] == ["broken"]
            assert await bot.stop() == 0

    asyncio.run(go())
