"""The program as a whole: help, versions, exit codes, and how errors are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Relay

import relay as package
from relay.cli.called import COMMANDS, typeable


def test_the_version_is_told(relay: Relay) -> None:
    assert relay("--version").out == f"relay {package.__version__}\n"


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_that_of_wrong_usage(relay: Relay) -> None:
    ended = relay()
    assert ended.code == 2
    assert all(command in ended.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_with_an_example(relay: Relay, command: str) -> None:
    ended = relay(command, "--help")
    assert ended.code == 0
    assert f"• relay {command}" in ended.out


def test_a_mistyped_command_is_guessed(relay: Relay) -> None:
    ended = relay("mesages")
    assert ended.code == 2
    assert "Did you mean 'messages'" in ended.err
    assert ended.out == ""


def test_a_usage_error_for_programs_is_json_on_stdout(relay: Relay) -> None:
    ended = relay("status", "--nope", "--json")
    assert ended.code == 2
    assert set(ended.json()) == {"error", "hint"}
    assert ended.err == ""


def test_a_usage_error_for_people_names_the_help(relay: Relay) -> None:
    ended = relay("status", "--nope")
    assert ended.out == ""
    assert "`relay status --help`" in ended.err


@pytest.mark.parametrize("command", ["status", "messages", "deliveries", "plugins"])
def test_a_configuration_with_problems_tells_each_and_exits_with_2(
    relay: Relay, tmp_path: Path, command: str
) -> None:
    config = tmp_path / "bot.toml"
    config.write_text("[bot]\nlanguage = 'fr'\n", "utf-8")
    ended = relay(command, "--config", str(config))
    assert ended.code == 2
    assert "bot.language" in ended.err
    assert "platform.app_id" in ended.err


def test_a_configuration_with_problems_is_json_for_programs(relay: Relay, tmp_path: Path) -> None:
    ended = relay("status", "--config", str(tmp_path / "none.toml"), "--json")
    assert ended.code == 2
    assert set(ended.json()) == {"error", "hint", "problems"}


def test_run_tells_a_configuration_with_problems(relay: Relay, tmp_path: Path) -> None:
    ended = relay("run", "--config", str(tmp_path / "none.toml"))
    assert ended.code == 2
    assert "there is no such file" in ended.err


@pytest.mark.parametrize(
    ("lang", "word"), [("zh_CN.UTF-8", "个问题"), ("en_US.UTF-8", "problem"), ("C", "problem")]
)
def test_before_a_configuration_is_read_the_environment_decides_the_language(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, word: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    assert word in relay("status", "--config", str(tmp_path / "none.toml")).err


@pytest.mark.parametrize("command", ["status", "messages", "deliveries"])
def test_without_a_database_a_command_says_so_and_makes_none(relay: Relay, fresh: Path, command: str) -> None:
    ended = relay(command, "--config", str(fresh))
    assert ended.code == 1
    assert "还没有数据库" in ended.err
    assert "relay run" in ended.err
    assert not list(fresh.parent.glob("relay.db*"))


def test_a_database_that_is_none_is_told_without_a_traceback(relay: Relay, fresh: Path) -> None:
    (fresh.parent / "relay.db").write_text("this is no database, and it is longer than a header " * 9)
    ended = relay("status", "--config", str(fresh), "--json")
    assert ended.code == 1
    assert "不能当作数据库打开" in ended.json()["error"]


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("`relay run` starts it", "`.venv/bin/relay run` starts it"),
        ("用 relay status 看", "用 .venv/bin/relay status 看"),
        ("a relay that runs, and other/relay run", "a relay that runs, and other/relay run"),
    ],
)
def test_what_people_are_told_to_type_works_where_they_are(
    monkeypatch: pytest.MonkeyPatch, text: str, typed: str
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/relay"])
    monkeypatch.setenv("PATH", "")
    assert typeable(text) == typed
