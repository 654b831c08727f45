"""`bench` in somebody's pytest: it comes with the package, and costs nothing where it is not used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from relay.testing.beside import plugin_of

ROOT = Path(__file__).parents[2]
INSTALLED = bool(entry_points(group="pytest11", name="relay"))
"""Whether this environment was installed since the package has the entry point."""
OTHERS = {each.name for each in entry_points(group="pytest11")} - {"relay"}
"""Plugins of this environment that nobody need have; they take longer to load than all else here."""

PLUGIN = """
from pydantic import BaseModel
from relay import Context, Message, Plugin, Reply

class Settings(BaseModel):
    word: str = "hello"

plugin = Plugin("echo", settings=Settings)

@plugin.on_message()
def echo(message: Message, ctx: Context) -> Reply:
    return Reply(ctx.settings.word)
"""
TESTS = """
import asyncio
import pytest
from relay import Reply

def test_beside(bench):
    assert bench.say("hi") == [Reply("hello")]

@pytest.mark.relay(settings={"word": "hey"})
class TestMarked:
    def test_class(self, bench):
        assert bench.say("hi").texts == ["hey"]

    @pytest.mark.relay("other", settings={})
    def test_nearer(self, bench):
        assert (bench.name, bench.say("hi").texts) == ("other", ["hello"])
"""


def run(folder: Path, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """pytest in that folder, as somebody runs it who has relay installed; `code` looks at it afterwards."""
    others = [word for name in OTHERS for word in ("-p", f"no:{name}")]
    given = [*([] if INSTALLED else ["-p", "_relay_pytest"]), *others, "-q", "-W", "error", *arguments]
    program = f"import sys, pytest\ndone = pytest.main({given!r})\n{code}\nsys.exit(done)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "echo.py").write_text(PLUGIN)
    (plugins / "other.py").write_text(PLUGIN.replace('"echo"', '"other"'))
    (plugins / "test_echo.py").write_text(TESTS)
    return tmp_path


def test_a_test_gets_the_plugin_that_it_is_named_for(folder: Path) -> None:
    done = run(folder, "--strict-markers")
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_who_tests_something_else_does_not_load_the_bot(tmp_path: Path) -> None:
    (tmp_path / "test_sum.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    code = (
        "print([name for name in sys.modules if name.partition('.')[0] in ('relay', 'pydantic', 'aiohttp')])"
    )
    done = run(tmp_path, code=code)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("[]\n")


def test_a_test_that_is_named_for_nothing_is_told_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no plugin nothing; looked for:") as caught:
        plugin_of(tmp_path / "test_nothing.py")
    assert str(tmp_path / "nothing.py") in str(caught.value)


@pytest.mark.skipif(not INSTALLED, reason="this environment was installed before there was an entry point")
def test_it_can_be_left_out(folder: Path) -> None:
    done = run(folder, "-p", "no:relay", "-W", "default")  # nobody knows its marker either
    assert "fixture 'bench' not found" in done.stdout


def test_the_module_is_in_the_wheel_beside_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert '[project.entry-points.pytest11]\nrelay = "_relay_pytest"' in text
    assert '"_relay_pytest.py" = "_relay_pytest.py"' in text
