"""The example plugins are short, tested, and run as their README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from relay.cli.check import look
from relay.routing.loader import shipped_folder
from relay.testing import BASE, SECRETS

ROOT = Path(__file__).parents[2]
EXAMPLES = shipped_folder() / "_examples"
FILES = sorted(path for path in EXAMPLES.glob("*.py") if not path.name.startswith("test_"))
README = (EXAMPLES / "README.md").read_text("utf-8")


def copied(folder: Path, *, tests: bool = False) -> Path:
    """A bot with all of them in its plugins folder, and the README's bot.toml."""
    plugins = folder / "plugins"
    plugins.mkdir()
    for path in EXAMPLES.glob("*.py") if tests else FILES:
        shutil.copy(path, plugins)
    (toml,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (folder / "bot.toml").write_text(BASE % "" + toml, "utf-8")
    return folder / "bot.toml"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_has_fewer_than_sixty_lines_and_a_test(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 60
    assert path.with_name(f"test_{path.name}").is_file()


def test_the_readme_lists_each_of_them() -> None:
    assert sorted(re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE)) == [path.name for path in FILES]


def test_what_the_readme_writes_into_bot_toml_passes_the_strictest_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    outcome = look(copied(tmp_path), strict=True)
    assert ([str(each) for each in (*outcome.problems, *outcome.failed, *outcome.warnings)]) == []
    assert outcome.loading
    assert {path.stem for path in FILES} <= {each.name for each in outcome.loading.loaded}


@pytest.mark.long
def test_copied_into_a_bot_the_examples_pass_their_tests(tmp_path: Path) -> None:
    copied(tmp_path, tests=True)
    installed = bool(entry_points(group="pytest11", name="relay"))
    fixture = [] if installed else ["-p", "_relay_pytest"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *fixture, "-q", "-W", "error", "-p", "no:cacheprovider", "plugins"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert f"{len(re.findall('^def test_', all_tests(), re.MULTILINE))} passed" in ended.stdout


def all_tests() -> str:
    """Every test file of theirs, as one text."""
    return "\n".join(path.read_text("utf-8") for path in EXAMPLES.glob("test_*.py"))
