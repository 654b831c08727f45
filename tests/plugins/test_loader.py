"""A plugin that does not load says why, with file and line (contract 5)."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from bots import make_bot

from relay.authoring.plugin import Plugin
from relay.errors import ConfigurationError, PluginError
from relay.routing.loader import Found, find, held_now, load

GOOD = """
from relay import Plugin, Reply

plugin = Plugin("greeter")

@plugin.on_message()
async def greet(message, ctx):
    return Reply("hi")
"""
IMPORTS = "from relay import Plugin\nfrom pydantic import BaseModel"
MODEL = """
class Settings(BaseModel):
    chats: tuple[str, ...] = ()

plugin = Plugin("greeter", settings=Settings)
"""


def written(folder: Path, source: str | bytes, name: str = "greeter") -> Found:
    path = folder / f"{name}.py"
    path.write_bytes(source.encode() if isinstance(source, str) else source)
    return Found(name, path, "folder")


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("\nimport nowhere_to_be_found\n", 2, "No module named"),
        ("from relay import Nothing\n", 1, "cannot import name"),
        ("x = 1\n\ny = 1 / 0\n", 3, "ZeroDivisionError"),
        ("x = 1\nraise SystemExit(3)\n", 2, "SystemExit"),
        ("x = 1\n", 1, 'plugin = Plugin("greeter")'),
        ("plugin = 7\n", 1, 'plugin = Plugin("greeter")'),
        ("x = 1\n" + GOOD.replace("greeter", "other"), 5, "must be called greeter"),
        (GOOD.replace("message, ctx", "message"), 6, "greet(message) must take (message, ctx)"),
        (GOOD.replace("message, ctx", "a, b, *, c"), 6, "must take (message, ctx)"),
        (
            "from relay import Plugin\nfrom pydantic import BaseModel" + MODEL,
            3,
            "settings cannot have a key chats",
        ),
        (GOOD + "def f():\n    raise KeyError\nf()\n", 10, "KeyError"),
        (b"x = '\xff'\n", None, "SyntaxError"),
        (b"x = 1\0\n", None, "null bytes"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    tmp_path: Path, source: str | bytes, line: int | None, message: str
) -> None:
    found = written(tmp_path, source)
    with pytest.raises(PluginError) as caught:
        load(found)
    assert message in caught.value.message
    assert caught.value.file == str(found.path)
    assert line is None or caught.value.line == line


@pytest.mark.parametrize("name", ["folder", "order", "disabled", "timeout"])
def test_words_of_bot_toml_are_no_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match=r"bot\.toml uses that word"):
        load(written(tmp_path, GOOD.replace("greeter", name), name))


def test_a_plugin_that_does_not_load_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(PluginError):
        load(written(tmp_path, "1 / 0"))
    assert not {name for name in set(sys.modules) - before if "greeter" in name}


def test_a_version_of_the_same_second_and_size_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    found = written(tmp_path, GOOD + "VERSION = 1\n")
    load(found)
    stamp = found.path.stat()
    written(tmp_path, GOOD + "VERSION = 2\n")
    os.utime(found.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    handler = load(found).handlers[0].function
    assert handler.__globals__["VERSION"] == 2
    assert not list(tmp_path.rglob("*.pyc"))


def test_two_loads_of_one_file_share_nothing(tmp_path: Path) -> None:
    found = written(tmp_path, GOOD)
    one, two = load(found), load(found)
    assert isinstance(one, Plugin)
    assert one is not two
    assert one.handlers[0].function is not two.handlers[0].function


def test_a_package_loads_with_its_own_modules(tmp_path: Path) -> None:
    package = tmp_path / "greeter"
    package.mkdir()
    (package / "words.py").write_text("WORD = 'hi'\n")
    (package / "__init__.py").write_text(GOOD + "from .words import WORD\n")
    [found] = [each for each in find(tmp_path, [], []) if each.source == "folder"]
    assert load(found).handlers[0].function.__globals__["WORD"] == "hi"


def test_order_comes_first_then_the_others_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "c", "_hidden", "test_b"):
        written(tmp_path, GOOD, name)
    names = [each.name for each in find(tmp_path, ["c", "group_mirror"], ["b"])]
    assert names == ["c", "group_mirror", "a"]


def test_a_file_in_the_folder_overrides_a_shipped_plugin(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "group_mirror")
    assert [each.source for each in find(tmp_path, ["group_mirror"], [])] == ["folder"]


def test_an_order_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="names nobody_here"):
        find(tmp_path, ["nobody_here"], [])


# --- what was accepted -----------------------------------------------------------------------------

PACKAGE = "from .inside import plugin, later\n"
INSIDE = """
from relay import Plugin
plugin = Plugin("large")
def later():
    from .deep.below import WORD
    return WORD
"""


def held(folder: Path, **sources: str) -> dict[str, bytes]:
    """These files, as they were once; the folder has others by now."""
    for name, source in sources.items():
        path = folder / (f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    accepted = dict(held_now(folder))
    for path in folder.rglob("*.py"):
        path.write_text("raise RuntimeError('a later version')\n", "utf-8")
    return accepted


def test_what_was_accepted_is_loaded_whatever_became_of_the_file(tmp_path: Path) -> None:
    accepted = held(tmp_path, greeter=GOOD)
    (found,) = find(tmp_path, (), (), accepted)
    assert load(found).name == "greeter"
    with pytest.raises(PluginError, match="a later version"):
        load(find(tmp_path, (), ())[0])


def test_a_file_that_came_later_is_no_plugin_and_one_that_went_still_is(tmp_path: Path) -> None:
    accepted = held(tmp_path, greeter=GOOD)
    (tmp_path / "greeter.py").rename(tmp_path / "newcomer.py")
    assert [each.name for each in find(tmp_path, (), (), accepted)] == ["greeter"]
    assert [each.name for each in find(tmp_path, (), ())] == ["newcomer"]


def test_a_package_is_loaded_as_accepted_also_what_it_imports_later(tmp_path: Path) -> None:
    sources = {"large/__init__": PACKAGE, "large/inside": INSIDE, "large/deep/__init__": ""}
    accepted = held(tmp_path, **sources, **{"large/deep/below": "WORD = 'first'\n"})
    (found,) = find(tmp_path, (), (), accepted)
    plugin = load(found)
    package = next(name for name in reversed(sys.modules) if re.fullmatch(r"relay_plugin_large_\d+", name))
    assert plugin.name == "large"
    assert sys.modules[package].later() == "first"


def test_what_was_not_held_is_read_when_it_is_loaded(tmp_path: Path) -> None:
    found = written(tmp_path, GOOD)
    (found,) = find(tmp_path, (), (), {str(found.path): b""})
    assert load(found).name == "greeter"


# --- a folder that does what folders do -------------------------------------------------------------


def test_a_file_and_a_package_of_one_name_are_told_apart(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (tmp_path / "greeter").mkdir()
    (tmp_path / "greeter" / "__init__.py").write_text(GOOD)
    for accepted in (None, held_now(tmp_path)):
        (found,) = find(tmp_path, (), (), accepted)
        with pytest.raises(PluginError, match="there are two plugins greeter") as caught:
            load(found)
        assert {str(tmp_path / "greeter.py"), str(tmp_path / "greeter" / "__init__.py")} <= {
            part.rstrip(",") for part in str(caught.value).replace("(", " ").split()
        }


def test_a_copy_that_kept_its_name_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        load(written(tmp_path, GOOD, "second"))
    assert caught.value.told("en").endswith('(write Plugin("second"), or rename the file)')


def test_a_folder_that_has_gone_has_no_plugins(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    written(tmp_path / "gone", GOOD)
    (found,) = find(tmp_path / "gone", (), ())
    found.path.unlink()
    (tmp_path / "gone").rmdir()
    assert find(tmp_path / "gone", ("keyword_reply",), ()) == find(tmp_path, ("keyword_reply",), ())
    with pytest.raises(PluginError, match="cannot be read: No such file"):
        load(found)


def test_a_folder_that_is_none_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("a file")
    with pytest.raises(
        ConfigurationError, match=r"plugins\.folder = .*cannot be looked into: Not a directory"
    ):
        make_bot(folder=tmp_path)
