"""The bot.toml that comes with relay works, and says everything that can be said."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from dotenv import dotenv_values
from pydantic import BaseModel

from relay.config import Config, Setting, load, settings_table, validate_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "bot.toml"
ENVIRONMENT = {
    "RELAY_APP_ID": "app",
    "RELAY_APP_SECRET": "secret",
    "RELAY_AES_KEY": "k" * 32,
    "RELAY_CALLBACK_SECRET": "0123456789abcdef",
    "RELAY_CONSOLE_PASSWORD": "correct horse",
}
DOCUMENTS = ("bot.toml", "README.md", "README.zh-CN.md")
"""Where every setting must be named."""


def in_full() -> str:
    """The example with every `#key = value` taken out of its comment."""
    return re.sub(r"^#(?=\w+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def read(folder: Path, text: str) -> Config:
    (folder / "bot.toml").write_text(text, encoding="utf-8")
    return load(folder / "bot.toml", ENVIRONMENT)


def test_the_example_is_read_without_a_problem_or_a_warning(tmp_path: Path) -> None:
    assert read(tmp_path, EXAMPLE.read_text(encoding="utf-8")).warnings == ()


def test_what_the_example_shows_as_a_default_is_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, in_full()) == read(tmp_path, EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("setting", settings_table(), ids=lambda setting: setting.path)
def test_the_example_names_every_setting(setting: Setting) -> None:
    table, _, key = setting.path.partition(".")
    assert key in tomllib.loads(in_full())[table]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("setting", settings_table(), ids=lambda setting: setting.path)
def test_every_document_names_every_setting(document: str, setting: Setting) -> None:
    key = setting.path.partition(".")[2]
    assert re.search(rf"\b{key}\b", (ROOT / document).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["group_mirror", "keyword_reply"])
def test_the_shipped_plugins_take_their_part_of_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = read(tmp_path, in_full())
    model = settings_model(ROOT / "plugins" / f"{name}.py", monkeypatch)
    validate_settings(model, config.plugins.settings[name], f"plugins.{name}", config.chats)


@pytest.mark.parametrize(("name", "listing"), [("group_mirror", "routes"), ("keyword_reply", "rules")])
def test_the_example_names_every_key_of_routes_and_rules(
    monkeypatch: pytest.MonkeyPatch, name: str, listing: str
) -> None:
    first = tomllib.loads(in_full())["plugins"][name][listing][0]
    model = settings_model(ROOT / "plugins" / f"{name}.py", monkeypatch)
    entry = get_args(model.model_fields[listing].annotation)[0]
    assert set(first) == {field.alias or key for key, field in entry.model_fields.items()}


def settings_model(path: Path, monkeypatch: pytest.MonkeyPatch) -> type[BaseModel]:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where pydantic looks annotations up
    spec.loader.exec_module(module)
    model: type[BaseModel] = module.Settings
    return model


def test_the_env_example_has_the_variables_that_the_example_asks_for() -> None:
    asked = re.findall(r"^\w+ = .*\$\{(\w+)\}", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert list(dotenv_values(ROOT / ".env.example")) == asked == list(ENVIRONMENT)
