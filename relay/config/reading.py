"""One reading of bot.toml, from the file to the checked value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from relay.config import texts
from relay.config.chats import Chats, read_chats
from relay.config.checks import IMPOSSIBLE, UNWISE, Tables, run
from relay.config.complaints import together, unknown_key
from relay.config.configuration import Config, Plugins, Switch
from relay.config.environment import read_environment
from relay.config.problems import UnfitError, is_secret, key_path, mistaken, nearest, shown
from relay.config.settings import read_table
from relay.config.sources import Files, Substitution, held_in, read_file
from relay.config.tables import HINTS, NOT_YET, TABLES, Length, PluginDefaults, Table, settings_table
from relay.config.values import ChatList
from relay.errors import ConfigurationError, Problem
from relay.language import Said, joined

NAMES = ("chats", *TABLES)


def load(path: Path, environ: Mapping[str, str] | None = None, files: Files | None = None) -> Config:
    """Read bot.toml and the `.env` beside it; raises `ConfigurationError` with every problem found.

    `environ` stands in for the process's own environment, `files` for what is on disk now, plugins included.
    """
    raw = read_file(path, files)
    folder = path.absolute().parent
    environment = read_environment(folder, os.environ if environ is None else environ, files)
    substitution = Substitution(environment.variables, list(environment.problems), list(environment.warnings))
    data: Any = substitution.fill(raw)
    reading = _Reading(data, substitution.problems, substitution.warnings)
    config = reading.config(path.absolute(), folder, tuple(substitution.secrets))
    return config if files is None else replace(config, plugins=replace(config.plugins, held=held_in(files)))


class OwnKeys(Table):
    """What any plugin's table may hold beside the plugin's own settings."""

    timeout: Length | None = None
    observe: bool = False
    chats: ChatList = ()
    not_chats: ChatList = ()

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Self:
        if self.chats and set(self.chats) <= set(self.not_chats):
            raise UnfitError(texts.NOWHERE, at=("not_chats",))
        return self


RESERVED = frozenset(OwnKeys.model_fields)
"""Keys that no plugin's settings can have: they are taken out of its table before it is read."""


class _Reading:
    """One pass over the tables that collects problems instead of stopping at the first."""

    def __init__(
        self, data: dict[str, object], problems: list[Problem], warnings: Sequence[Problem] = ()
    ) -> None:
        self.data = data
        self.problems = problems
        self.warnings = warnings
        self.chats = Chats()

    def config(self, path: Path, folder: Path, filled_in: tuple[str, ...]) -> Config:
        """The whole configuration, or `ConfigurationError`."""
        self._top_level()
        self.chats, chat_problems = read_chats(self.data.get("chats", {}))
        self._tell(chat_problems)
        own = self._plugin_tables()
        read: dict[str, Any] = {name: self._table(name, model) for name, model in TABLES.items()}
        tables = Tables(**read)
        keys = self._own_keys(own)
        self._tell(self._quoted(run(IMPOSSIBLE, tables, self._paths())))
        if self.problems:
            language = None if "bot.language" in self._paths() else tables.bot.language
            raise ConfigurationError(tuple(sorted(self.problems, key=_table_order)), language)
        defaults = read.pop("plugins")
        plugins = Plugins(
            folder=folder / defaults.folder,
            order=defaults.order,
            disabled=defaults.disabled,
            timeout=defaults.timeout,
            memory_limit=defaults.memory_limit,
            timeouts={name: each.timeout for name, each in keys.items() if each.timeout is not None},
            observing=frozenset(name for name, each in keys.items() if each.observe),
            switches={name: Switch(each.chats, each.not_chats) for name, each in keys.items()},
            settings=own,
        )
        warnings = (*self.warnings, *self._quoted(run(UNWISE, tables, ())))
        return Config(
            path, folder, **read, chats=self.chats, plugins=plugins, warnings=warnings, filled_in=filled_in
        )

    def _tell(self, problems: Iterable[Problem]) -> None:
        """Add these problems, but no second one for a key that has one."""
        known = self._paths()
        self.problems += [problem for problem in problems if problem.path not in known]

    def _paths(self) -> set[str]:
        return {problem.path for problem in self.problems}

    def _top_level(self) -> None:
        self._tell(_strange(key, value) for key, value in self.data.items() if key not in NAMES)

    def _section(self, name: str) -> dict[str, object]:
        section = self.data.get(name, {})
        if isinstance(section, dict):
            return section
        self._tell([Problem(name, mistaken(texts.TABLE, section).message, shown(section, name))])
        return {}

    def _plugin_tables(self) -> dict[str, dict[str, object]]:
        """Take the plugins' own tables out of `[plugins]`, so that what is left has fixed keys."""
        section = self._section("plugins")
        fixed = PluginDefaults.model_fields
        own = {
            name: table for name, table in section.items() if name not in fixed and isinstance(table, dict)
        }
        if isinstance(self.data.get("plugins"), dict):
            self.data["plugins"] = {key: value for key, value in section.items() if key not in own}
        return own

    def _own_keys(self, own: dict[str, dict[str, object]]) -> dict[str, OwnKeys]:
        """Take out of the plugins' tables what is not theirs."""
        keys = {}
        for name, table in own.items():
            raw = {key: table.pop(key) for key in OwnKeys.model_fields if key in table}
            if raw:
                keys[name], problems = read_table(OwnKeys, raw, ("plugins", name), self.chats)
                self._tell(problems)
        return keys

    def _table(self, name: str, model: type[Table]) -> Table:
        section = self._section(name)
        known = {key: value for key, value in section.items() if key in model.model_fields}
        self._tell(_unknown(name, key, value, model) for key, value in section.items() if key not in known)
        table, problems = read_table(model, known, (name,), self.chats)
        if name not in self._paths():
            self._tell(_explained(problem) for problem in problems)
        return table

    def _quoted(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """These problems with the values they are about, as the file has them."""
        defaults = {setting.path: setting.default for setting in settings_table()}
        for problem in problems:
            table, _, key = problem.path.partition(".")
            section = self._section(table)
            value = shown(section[key], problem.path) if key in section else None
            yield replace(
                problem, value=value or (None if is_secret(problem.path) else defaults[problem.path])
            )


def _strange(key: str, value: object) -> Problem:
    """The complaint about a table, or a key before the first table, that nobody knows."""
    message = texts.UNKNOWN_TABLE if isinstance(value, dict | list) else texts.UNKNOWN_KEY
    return Problem(key_path((key,)), message, None, _belongs(key) or unknown_key(key, NAMES))


def _unknown(table: str, key: str, value: object, model: type[Table]) -> Problem:
    path = key_path((table, key))
    if path in NOT_YET:
        return Problem(path, NOT_YET[path], shown(value, path))
    near = nearest(key, model.model_fields)
    secret = near is not None and is_secret(f"{table}.{near}")
    told = shown(value, "platform.app_secret" if secret else path)
    hint = (None if near else _belongs(key)) or unknown_key(key, model.model_fields)
    return Problem(path, texts.UNKNOWN_KEY, told, hint)


def _belongs(key: str) -> Said | None:
    """A hint naming the table that does have this key."""
    tables = [f"[{name}]" for name, model in TABLES.items() if key in model.model_fields]
    return texts.BELONGS.filled(tables=joined(tables, " 或 ", " or ")) if tables else None


def _explained(problem: Problem) -> Problem:
    """The problem with what is known about this very key beyond its type."""
    if problem.path in NOT_YET:
        return replace(problem, message=NOT_YET[problem.path], hint=None)
    reason = HINTS.get(problem.path)
    return replace(problem, hint=together(filter(None, (reason, problem.hint)))) if reason else problem


def _table_order(problem: Problem) -> int:
    order = [*TABLES, "chats"]
    table = problem.path.partition(".")[0].partition("[")[0]
    return order.index(table) if table in order else -1
