"""Where configuration comes from: the file, the environment, and the `.env` beside the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from relay.config.problems import Location, Substituted, is_secret, key_path
from relay.errors import ConfigurationError, Problem

REFERENCE = re.compile(
    r"(?P<literal>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{)"
)
POSITION = re.compile(
    r"(?P<message>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)"
)

UNSET = object()
"""Stands where a variable could not be filled in; the key is left out, its problem is already told."""


def read_file(path: Path) -> dict[str, object]:
    """The tables of a TOML file; raises `ConfigurationError` with line and column where it is not TOML."""
    text = _text(path)
    try:
        return tomllib.loads(text)
    except RecursionError as exc:
        raise ConfigurationError((Problem(path.name, "is nested too deeply"),)) from exc
    except ValueError as exc:
        raise ConfigurationError((_not_toml(path, text, str(exc)),)) from exc


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as exc:
        hint = "`relay init FOLDER` makes a new bot, `--config PATH` names another file"
        raise ConfigurationError((Problem(str(path), "there is no such file", hint=hint),)) from exc
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigurationError((Problem(str(path), f"cannot be read: {reason}"),)) from exc
    except UnicodeDecodeError as exc:
        hint = "save the file as UTF-8"
        raise ConfigurationError(
            (Problem(str(path), f"is not UTF-8 (byte {exc.start})", hint=hint),)
        ) from exc


def _not_toml(path: Path, text: str, complaint: str) -> Problem:
    found = POSITION.fullmatch(complaint)
    if found is None:
        return Problem(path.name, f"is not TOML: {complaint}")
    line = int(found["line"] or text.count("\n") + 1)
    column = int(found["column"] or len(text) - text.rfind("\n"))
    hint = "text stands in quotes; true and false are lower case" if "value" in complaint else None
    return Problem(
        f"{path.name}, line {line}, column {column}", f"is not TOML: {found['message']}", hint=hint
    )


def read_environment(folder: Path, environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The `.env` of this folder with the real environment over it; values in `.env` are taken literally."""
    path = folder / ".env"
    if not path.is_file():
        return dict(environ), []
    bindings = list(parse_stream(StringIO(_text(path))))
    filed = {b.key: b.value for b in bindings if b.key is not None and b.value is not None}
    hint = "write NAME=value, one on each line"
    bad = [Problem(f".env, line {b.original.line}", "cannot be read", hint=hint) for b in bindings if b.error]
    return filed | dict(environ), bad


@dataclass(slots=True)
class Substitution:
    """Fills `${NAME}` in, everywhere but where `$` is text: `[chats]`, rules and routes."""

    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """What was filled in where a secret stands."""

    def fill(self, value: object, at: Location = ()) -> object:
        """The value with every reference filled in; what cannot be filled is told in `problems`."""
        if isinstance(value, str):
            return value if _is_plain(at) else self._text(value, at)
        if isinstance(value, dict):
            filled = {key: self.fill(item, (*at, key)) for key, item in value.items()}
            return {key: item for key, item in filled.items() if item is not UNSET}
        if isinstance(value, list):
            items = [self.fill(item, (*at, index)) for index, item in enumerate(value)]
            return [Substituted("") if item is UNSET else item for item in items]
        return value

    def _text(self, text: str, at: Location) -> object:
        before = len(self.problems)
        result = REFERENCE.sub(lambda found: self._reference(found, at), text)
        if len(self.problems) > before:
            return UNSET
        referred = any(found["name"] for found in REFERENCE.finditer(text))
        return Substituted(result) if referred else result

    def _reference(self, found: re.Match[str], at: Location) -> str:
        if found["literal"]:
            return "${"
        if found["broken"]:
            hint = "write ${NAME} or ${NAME:-default}; $${ is a literal ${"
            self.problems.append(Problem(key_path(at), "has a `${` that names no variable", hint=hint))
            return ""
        return self._variable(found["name"], found["default"], at)

    def _variable(self, name: str, default: str | None, at: Location) -> str:
        value = self.environment.get(name)
        if value is None or (not value and default is not None):
            value = default
        if value is None:
            hint = f"add {name}=… to .env beside the file, or write ${{{name}:-default}}"
            message = f"the environment variable {name} is not set"
            self.problems.append(Problem(key_path(at), message, hint=hint))
            return ""
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            message = f"the environment variable {name} is not UTF-8"
            self.problems.append(Problem(key_path(at), message))
        if is_secret(key_path(at)):
            self.secrets.append(value)
        return value


def _is_plain(at: Location) -> bool:
    return at[:1] == ("chats",) or (at[:1] == ("plugins",) and not {"rules", "routes"}.isdisjoint(at[2:]))
