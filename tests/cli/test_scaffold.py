"""`relay plugins new`: plugin and test, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benched import run_tests
from cli.conftest import Relay

from relay.cli.scaffold import KINDS, examples, write
from relay.routing.loader import Found, load


def made(relay: Relay, fresh: Path, *arguments: str) -> dict[str, str]:
    ended = relay("plugins", "new", *arguments, "--config", str(fresh), "--json")
    assert ended.code == 0, ended.err
    told: dict[str, str] = ended.json()
    return told


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_the_test_that_it_comes_with(
    relay: Relay, fresh: Path, kind: str, lang: str
) -> None:
    told = made(relay, fresh, "mine", "--kind", kind, "--lang", lang)
    assert len(run_tests(Path(told["test"]).read_text("utf-8"), Path(told["plugin"]))) >= 2


@pytest.mark.parametrize("example", examples())
def test_an_example_can_be_had_under_a_name_of_ones_own(tmp_path: Path, example: str) -> None:
    plugin, test = write(tmp_path, "mine", example, "zh")
    code = plugin.read_text("utf-8")
    assert ('Plugin("mine"' in code, f'"{example}"' in code.replace('"role": "assistant"', "")) == (
        True,
        False,
    )
    assert f'Bench("{example}"' not in test.read_text("utf-8")
    assert load(Found("mine", plugin, "folder")).name == "mine"


def test_the_new_plugin_passes_the_check_and_is_picked_up(relay: Relay, fresh: Path) -> None:
    made(relay, fresh, "greeter")
    assert relay("check", "--config", str(fresh)).code == 0
    rows = relay("plugins", "--config", str(fresh), "--json").json()
    assert ("greeter", "active") in [(row["name"], row["state"]) for row in rows]


def test_it_speaks_as_the_bot_does_and_says_what_next(relay: Relay, fresh: Path) -> None:
    ended = relay("plugins", "new", "greeter", "--config", str(fresh))
    assert "运行它的测试" in ended.out
    assert 'try "#greeter"' in ended.out
    assert "有人在会话里写 #greeter 时回答" in (fresh.parent / "plugins" / "greeter.py").read_text("utf-8")


def test_it_asks_for_nothing_but_the_folder(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text('[bot]\nlanguage = "en"\n[plugins]\nfolder = "mine"\n')
    relay("plugins", "--config", str(tmp_path / "bot.toml"), "new", "greeter")
    assert (tmp_path / "mine" / "greeter.py").is_file()


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("my-plugin", 2, "my_plugin"),
        ("1st", 2, "no digit first"),
        ("class", 2, "no keyword"),
        ("_hidden", 2, "begin with _"),
        ("test_it", 2, "begin with _ or test_"),
        ("order", 2, "timeout"),
        ("keyword_reply", 2, "comes with a plugin of that name"),
        ("calendar", 2, "calendar_plugin"),
        ("taken", 1, "stays as it is"),
        ("Taken", 1, "stays as it is"),
        ("package", 1, "stays as it is"),
        ("tested", 1, "stays as it is"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(
    relay: Relay, fresh: Path, name: str, code: int, hint: str
) -> None:
    folder = fresh.parent / "plugins"
    (folder / "package").mkdir(parents=True)
    for there in ("taken.py", "test_tested.py"):
        (folder / there).write_text("# mine")
    before = sorted(folder.rglob("*"))
    ended = relay("plugins", "new", name, "--config", str(fresh), "--lang", "en")
    assert (ended.code, ended.out) == (code, "")
    assert hint in ended.err
    assert sorted(folder.rglob("*")) == before


def test_it_is_refused_in_chinese_too(relay: Relay, fresh: Path) -> None:
    ended = relay("plugins", "new", "class", "--config", str(fresh), "--lang", "zh")
    assert "不能做插件名" in ended.err


def test_an_unknown_kind_tells_which_there_are(relay: Relay, fresh: Path) -> None:
    ended = relay("plugins", "new", "greeter", "--kind", "tiemr", "--config", str(fresh))
    assert ended.code == 2
    assert re.search("reply, conversation, timer", ended.err)


def test_where_there_is_no_bot_it_says_so(relay: Relay, tmp_path: Path) -> None:
    ended = relay("plugins", "new", "greeter", "--config", str(tmp_path / "bot.toml"))
    assert ended.code == 2
    assert "relay init" in ended.err
    assert list(tmp_path.iterdir()) == []
