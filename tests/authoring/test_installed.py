"""Plugins of installed distributions: found by entry point, overridden by a file, and told when broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bots import ANN, EAST, make_bot, rule, said

from relay.errors import PluginError
from relay.routing.loader import find, load, sources

SOURCE = """
from relay import Plugin, Reply
plugin = Plugin("{name}")

@plugin.on_message
async def answer(message, ctx):
    return Reply("{says}")
"""


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, dist: str, entry: str, **files: str) -> None:
        for name, source in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source, "utf-8")
        info = self.folder / f"{dist}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[relay.plugins]\n{entry}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def folder_of(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir(exist_ok=True)
    for name, source in files.items():
        (folder / f"{name}.py").write_text(source, "utf-8")
    return folder


def greeter(says: str = "installed", name: str = "greeter") -> str:
    return SOURCE.format(name=name, says=says)


@rule
async def test_an_installed_plugin_runs_by_itself(site: Site, tmp_path: Path) -> None:
    site.install("greetings", "greeter = greetings", greetings=greeter())
    async with make_bot(folder=tmp_path, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hi")
        await bot.work()
        assert said(bot, EAST) == ["hi", "installed"]


def test_a_file_in_the_folder_overrides_an_installed_plugin_and_that_a_shipped_one(
    site: Site, tmp_path: Path
) -> None:
    site.install("greetings", "greeter = greetings", greetings=greeter())
    site.install("mirror", "group_mirror = mirror", mirror=greeter(name="group_mirror"))
    folder = folder_of(tmp_path, greeter=greeter("folder"))
    assert sources(folder) == {"greeter": "folder", "group_mirror": "installed", "keyword_reply": "shipped"}
    assert [(each.name, each.source) for each in find(folder, (), ())] == [
        ("greeter", "folder"),
        ("group_mirror", "installed"),
    ]
    assert find(folder, (), ("group_mirror", "greeter")) == []


@pytest.mark.parametrize("entry", ["inner.deep", "inner.deep:plugin", "inner.deep:Holder.made"])
def test_the_entry_point_may_name_a_module_or_the_plugin_itself(
    site: Site, tmp_path: Path, entry: str
) -> None:
    deep = f"from .words import SAYS\n{greeter('x')}\nclass Holder:\n    made = plugin\n"
    files = {"inner/__init__": "", "inner/words": "SAYS = 1\n", "inner/deep": deep}
    site.install("inner", f"greeter = {entry}", **files)
    (found,) = find(tmp_path, (), ())
    assert found.path == site.folder / "inner" / "deep.py"
    assert "inner" not in sys.modules  # nothing ran so far
    one, two = load(found), load(found)
    assert one.name == "greeter"
    assert one is not two  # each version has its own, or ending the old one would end the new


@pytest.mark.parametrize(
    ("entry", "source", "line", "message"),
    [
        ("greeter = greetings", "x = 1\n1 / 0\n", 2, "ZeroDivisionError"),
        ("greeter = greetings", "def broken(:\n", 1, "SyntaxError"),
        ("greeter = greetings", "raise SystemExit\n", 1, "SystemExit (a plugin is loaded, not run"),
        ("greeter = nowhere", "", None, "No module named 'nowhere'"),
        (
            "greeter = greetings:missing",
            "x = 1\n",
            None,
            "greeter = greetings:missing of greetings 1.0 is",
        ),
        ("greeter = greetings", "plugin = 7\n", None, "the entry point greeter = greetings of greetings 1.0"),
        ("other = greetings", greeter(), 3, 'Plugin("greeter") must be called other'),
    ],
)
def test_a_broken_distribution_is_one_failed_plugin(
    site: Site, tmp_path: Path, entry: str, source: str, line: int | None, message: str
) -> None:
    site.install("greetings", entry, greetings=source)
    folder = folder_of(tmp_path, good=greeter(name="good"))
    found = {each.name: each for each in find(folder, (), ())}
    assert load(found.pop("good")).name == "good"
    (broken,) = found.values()
    with pytest.raises(PluginError) as caught:
        load(broken)
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(broken.path), line)


def test_two_distributions_with_one_name_are_told_apart(site: Site, tmp_path: Path) -> None:
    site.install("one", "greeter = one", one=greeter())
    site.install("two", "greeter = two", two=greeter())
    (found,) = find(tmp_path, (), ())
    with pytest.raises(PluginError, match=r"there are two plugins greeter: two 1\.0, one 1\.0 \(keep one"):
        load(found)
    folder = folder_of(tmp_path, greeter=greeter("folder"))
    assert load(find(folder, (), ())[0]).name == "greeter"
