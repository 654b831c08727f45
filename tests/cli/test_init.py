"""`relay init`: from an empty folder to a bot that runs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cli.conftest import Relay

from relay.config import load, settings_table
from relay.routing.loader import shipped_folder

VALUES = {
    "RELAY_APP_ID": "sim-app",
    "RELAY_APP_SECRET": "sim-secret",
    "RELAY_AES_KEY": "0123456789abcdefghijklmnopqrstuv",
    "RELAY_CALLBACK_SECRET": "a-path-nobody-guesses",
    "RELAY_CONSOLE_PASSWORD": "a-console-password",
}
STARTER = Path(__file__).parents[2] / "relay" / "cli" / "starter"

each_language = pytest.mark.parametrize("language", ["zh", "en"])


def fill_in(folder: Path) -> None:
    text = (folder / ".env.example").read_text("utf-8")
    for name, value in VALUES.items():
        text = text.replace(f"{name}=\n", f"{name}={value}\n")
    (folder / ".env").write_text(text, "utf-8")


@each_language
def test_a_new_bot_passes_the_check_once_its_environment_is_filled_in(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    folder = tmp_path / "my bot"
    assert relay("init", str(folder), "--lang", language).code == 0
    for name in VALUES:
        monkeypatch.delenv(name, raising=False)
    assert relay("check", "--config", str(folder / "bot.toml")).code == 2
    fill_in(folder)
    ended = relay("check", "--config", str(folder / "bot.toml"), "--json")
    assert (ended.code, ended.json()["warnings"]) == (0, [])
    assert load(folder / "bot.toml", VALUES).bot.language == language


def test_it_tells_three_steps_that_can_be_pasted(relay: Relay, tmp_path: Path) -> None:
    told = relay("init", str(tmp_path / "my bot"), "--lang", "en").out
    assert [line[0] for line in told.splitlines() if re.match("[0-9]", line)] == ["1", "2", "3"]
    assert f"cp '{tmp_path}/my bot/.env'.example '{tmp_path}/my bot/.env'" in told


def test_a_folder_with_a_bot_stays_as_it_is(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text("mine", "utf-8")
    ended = relay("init", str(tmp_path), "--lang", "en")
    assert ended.code == 1
    assert "choose another folder" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["bot.toml"]


def test_files_of_somebody_elses_are_not_overwritten(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine", "utf-8")
    assert relay("init", str(tmp_path)).code == 0
    assert (tmp_path / ".gitignore").read_text("utf-8") == "mine"


def test_what_is_secret_or_made_by_the_bot_is_kept_out_of_git(relay: Relay, tmp_path: Path) -> None:
    relay("init", str(tmp_path))
    (tmp_path / ".env").touch()
    (tmp_path / "relay.db").touch()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    told = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "-s", "-uall"], capture_output=True, text=True, check=True
    ).stdout
    assert "bot.toml" in told
    assert not re.search(r"\.env$|relay\.db", told, re.MULTILINE)


def test_the_plugins_are_copies_that_say_so(relay: Relay, tmp_path: Path) -> None:
    relay("init", str(tmp_path), "--lang", "en")
    for shipped in shipped_folder().glob("[!_]*.py"):
        first, _, rest = (tmp_path / "plugins" / shipped.name).read_text("utf-8").partition("\n")
        assert first.startswith("# A copy of the plugin that comes with relay")
        assert rest == shipped.read_text("utf-8")


def test_a_folder_that_cannot_be_made_is_told(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = relay("init", str(tmp_path / "file" / "bot"), "--lang", "en")
    assert ended.code == 1
    assert "cannot be used" in ended.err


@each_language
def test_every_setting_is_shown_with_its_default(language: str) -> None:
    text = (STARTER / f"bot.{language}.toml").read_text("utf-8")
    shown = tomllib.loads(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))
    settings = {f"{table}.{key}": value for table in shown for key, value in shown[table].items()}
    for setting in settings_table():
        assert setting.path in settings, f"show {setting.path} in {STARTER.name}/bot.{language}.toml"
        if setting.default is not None and setting.path not in ("console.password", "bot.language"):
            assert settings[setting.path] == tomllib.loads(f"x = {setting.default}")["x"]


@each_language
def test_no_rule_of_a_new_bot_is_in_use(language: str) -> None:
    """The chats in it are examples: nothing may be sent before somebody has put real ones there."""
    plugins = tomllib.loads((STARTER / f"bot.{language}.toml").read_text("utf-8"))["plugins"]
    assert not any(rule["enabled"] for rule in plugins["keyword_reply"]["rules"])
    assert not any(route["enabled"] for route in plugins["group_mirror"]["routes"])


def test_it_works_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relay", "init", str(tmp_path / "bot"), "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=STARTER.parents[2])
    assert f"-m relay run --config {tmp_path}/bot/bot.toml" in done.stdout
