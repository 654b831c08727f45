"""What the READMEs list is what there is: no setting, key, state, command or module more or less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from docs.readme import BOTH, ROOT, Readme, names

from relay.authoring.templates import PLACEHOLDERS
from relay.cli.app import build
from relay.config import NOT_YET, settings_table
from relay.config.complaints import written
from relay.routing import loader
from relay.store.states import STEPS, DeliveryState

ONE_VALUE = (
    *("text", "text or list", "true, false", "choice", "time of day", "duration"),
    *("文本", "文本或列表", "true、false", "选项", "时段", "时长"),
)
REQUIRED = {"README.md": "required", "README.zh-CN.md": "必填"}

each = pytest.mark.parametrize("readme", BOTH, ids=lambda readme: readme.name)


def shown(readme: Readme, default: str | None) -> str:
    return REQUIRED[readme.name] if default is None else f"`{default}`"


@each
def test_the_settings_are_these(readme: Readme) -> None:
    (table,) = readme.tables("Settings")
    listed = [(path, default) for path, default, _ in table]
    assert listed == [(f"`{each.path}`", shown(readme, each.default)) for each in settings_table()]


def test_the_english_sentences_are_those_of_the_code() -> None:
    (table,) = BOTH[0].tables("Settings")
    assert [row[2] for row in table] == [each.sentence for each in settings_table()]


@each
@pytest.mark.parametrize(
    ("at", "plugin", "listing"), [(0, "group_mirror", "routes"), (1, "keyword_reply", "rules")]
)
def test_the_keys_of_routes_and_rules_are_these(readme: Readme, at: int, plugin: str, listing: str) -> None:
    found = loader.Found(plugin, ROOT / "plugins" / f"{plugin}.py", "folder")
    model = get_args(loader.load(found).settings.model_fields[listing].annotation)[0]
    keys = {
        f"`{field.alias or name}`": shown(readme, None if field.is_required() else written(field.default))
        for name, field in model.model_fields.items()
    }
    assert {key: default for key, _, default, _ in readme.tables("Rules and routes")[at]} == keys


@each
def test_a_key_is_of_the_type_that_its_default_has(readme: Readme) -> None:
    for key, kind, default, _ in (row for at in (0, 1) for row in readme.tables("Rules and routes")[at]):
        assert (kind in ("true, false", "true、false")) is (default in ("`true`", "`false`")), key
        assert (kind in ONE_VALUE) is not default.startswith("`["), key


@each
def test_the_placeholders_are_these(readme: Readme) -> None:
    listed = [row[0] for row in readme.tables("Rules and routes")[2]]
    assert listed == [f"`{{{name}}}`" for name in PLACEHOLDERS]


@each
def test_the_delivery_states_are_these(readme: Readme) -> None:
    (table,) = readme.tables("Delivery states")
    assert [row[0] for row in table] == [f"`{state}`" for state in DeliveryState]


@each
def test_a_delivery_goes_only_where_it_may(readme: Readme) -> None:
    (table,) = readme.tables("Delivery states")
    for state, _, goes_to in table:
        for target in names(goes_to):
            assert (DeliveryState(state.strip("`")), DeliveryState(target)) in STEPS


def commands() -> typer.core.TyperGroup:
    group = typer.main.get_command(build())
    assert isinstance(group, typer.core.TyperGroup)
    return group


@each
def test_every_command_is_shown_with_an_example(readme: Readme) -> None:
    section = readme.section("Commands")
    assert set(re.findall(r"^\*\*`relay (\w+)`\*\*", section, re.MULTILINE)) == set(commands().commands)


@each
def test_no_command_is_promised_that_is_not_there(readme: Readme) -> None:
    text = readme.text.replace(readme.section("What is not there yet"), "")
    assert set(re.findall(r"`(?:\S*/)?relay ([a-z]+)", text)) <= set(commands().commands)


def every_command(group: typer.core.TyperGroup) -> Iterator[Any]:
    """The group, its commands, and theirs."""
    yield group
    for each in group.commands.values():
        yield from every_command(each) if isinstance(each, typer.core.TyperGroup) else [each]


@each
def test_every_option_that_is_named_exists(readme: Readme) -> None:
    takers = [*every_command(commands())]
    known = {"--help", *(option for each in takers for p in each.params for option in p.opts)}
    assert set(re.findall(r"--[a-z-]+[a-z]", readme.section("Commands"))) <= known


@each
def test_what_this_version_cannot_do_yet_is_said(readme: Readme) -> None:
    assert set(NOT_YET) <= set(names(readme.section("What is not there yet")))


RELAY = ROOT / "relay"
MODULES = sorted(path.relative_to(RELAY) for path in RELAY.rglob("*.py") if not path.stem.startswith("__"))


@each
def test_every_module_is_in_the_list_of_files(readme: Readme) -> None:
    (table,) = readme.tables("The files")
    rows = {row[0].strip("`"): names(row[1]) for row in table}
    missing = [
        str(module)
        for module in MODULES
        if (module.name not in rows if len(module.parts) == 1 else not _told_of(module, rows))
    ]
    assert missing == [], f"give them a place under `The files` in {readme.name}"


def _told_of(module: Path, rows: Mapping[str, Sequence[str]]) -> bool:
    return module.stem in rows.get(f"{module.parent.as_posix()}/", ())


@each
def test_every_file_of_the_architecture_exists(readme: Readme) -> None:
    told = [name for name in names(readme.section("Architecture")) if re.fullmatch(r"[\w/]+(\.py|/)", name)]
    assert [name for name in told if not ((RELAY / name).exists() or (ROOT / name).exists())] == []
