"""Where configuration comes from: the file, and what it takes from the environment."""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from relay.config import syntax_texts as texts
from relay.config import texts as terms
from relay.config.problems import Location, Substituted, is_secret, key_path
from relay.config.syntax import language_in, not_toml
from relay.config.tables import REQUIRED
from relay.errors import ConfigurationError, Problem
from relay.language import joined

REFERENCE = re.compile(
    r"(?P<literal>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{)"
)
LARGEST = 16 * 1024 * 1024
DEEPEST = 100
DEEP_KEY = re.compile(rf"^[ \t]*\[{{0,2}}(?:[\w\"'-]+[ \t]*\.[ \t]*){{{DEEPEST}}}", re.MULTILINE)
"""A key of so many parts that tomllib would take minutes over it."""
PLACEHOLDER = re.compile(r"\$([A-Z_][A-Z0-9_]*)")

Files = Mapping[str, bytes]
"""What files held at some time: for who must not see what became of them since.

bot.toml and `.env` go by their names, files of plugins by their paths.
"""

UNSET = object()
"""Stands where a variable could not be filled in; the key is left out, its problem is already told."""


def read_file(path: Path, files: Files | None = None) -> dict[str, object]:
    """The tables of a TOML file; raises `ConfigurationError` with line and column where it is not TOML."""
    text = read_text(path, files)
    if DEEP_KEY.search(text):
        raise _refused(Problem(path.name, texts.DEEP), text)
    try:
        tables = tomllib.loads(text)
    except RecursionError as exc:
        raise _refused(Problem(path.name, texts.DEEP), text) from exc
    except ValueError as exc:
        raise _refused(not_toml(path.name, text, str(exc)), text) from exc
    if _depth(tables) > DEEPEST:
        raise _refused(Problem(path.name, texts.DEEP), text)
    return tables


def _refused(problem: Problem, text: str) -> ConfigurationError:
    return ConfigurationError((problem,), language_in(text))


def _depth(value: object) -> int:
    """How many tables and lists stand within each other, counted a little beyond what is allowed."""
    layer, depth = [value], 0
    while layer and depth <= DEEPEST:
        inner = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [item for items in inner for item in items if isinstance(item, dict | list)]  # type: ignore[attr-defined]
        depth += 1
    return depth


def read_files(path: Path) -> Files:
    """What bot.toml and the `.env` beside it hold now; raises `ConfigurationError`."""
    found = (path, path.absolute().parent / ".env")
    return {each.name: _read(each) for each in found if each == path or each.exists()}


def held_in(files: Files) -> Files:
    """Those of plugins."""
    return {name: held for name, held in files.items() if Path(name).is_absolute()}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except (OSError, ValueError) as exc:
        raise ConfigurationError((_unreadable(path, exc),)) from exc


def read_text(path: Path, files: Files | None = None) -> str:
    """The text of a file in UTF-8, whatever its line ends; raises `ConfigurationError`."""
    data = _read(path) if files is None else files[path.name]
    if len(data) > LARGEST:
        message = texts.LARGE.filled(limit=f"{LARGEST // 1024**2} MB")
        raise ConfigurationError((Problem(str(path), message),))
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        guessed = data.decode("utf-8", "replace")
        raise _refused(_not_utf8(path, data, exc), guessed) from exc


def _unreadable(path: Path, exc: Exception) -> Problem:
    match exc:
        case FileNotFoundError():
            return Problem(str(path), texts.NO_FILE, hint=texts.NO_FILE_HINT)
        case IsADirectoryError() if path.name != ".env":
            return Problem(str(path), texts.FOLDER, hint=texts.FOLDER_HINT.filled(path=path / "bot.toml"))
        case IsADirectoryError():
            return Problem(str(path), texts.FOLDER)
        case PermissionError():
            return Problem(str(path), texts.FORBIDDEN)
        case OSError(errno=errno.ELOOP):
            return Problem(str(path), texts.LOOP)
    reason = getattr(exc, "strerror", None) or str(exc)
    return Problem(str(path), texts.UNREADABLE.filled(reason=reason))


def _not_utf8(path: Path, data: bytes, exc: UnicodeDecodeError) -> Problem:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(str(path), texts.UTF16, hint=texts.UTF8_HINT)
    if b"\0" in data:
        return Problem(str(path), texts.NUL)
    message = texts.NOT_UTF8.filled(line=data.count(b"\n", 0, exc.start) + 1, byte=exc.start)
    return Problem(str(path), message, hint=texts.GBK_HINT if _is_gbk(data) else texts.UTF8_HINT)


def _is_gbk(data: bytes) -> bool:
    try:
        decoded = data.decode("gbk")
    except UnicodeDecodeError:
        return False
    return any("\u4e00" <= letter <= "\u9fff" for letter in decoded)


@dataclass(slots=True)
class Substitution:
    """Fills `${NAME}` in, everywhere but where `$` is text: `[chats]`, rules and routes."""

    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
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
        if bare := PLACEHOLDER.fullmatch(text.strip()):
            self._warn(bare[1], at)
        result = REFERENCE.sub(lambda found: self._reference(found, at), text)
        if len(self.problems) > before:
            return UNSET
        referred = any(found["name"] for found in REFERENCE.finditer(text))
        return Substituted(result) if referred else result

    def _reference(self, found: re.Match[str], at: Location) -> str:
        if found["literal"]:
            return "${"
        if found["broken"]:
            closed = "}" in found.string[found.end() :]
            message = terms.BROKEN_REFERENCE if closed else terms.UNCLOSED_REFERENCE
            self.problems.append(Problem(key_path(at), message, hint=terms.REFERENCE_HINT))
            return ""
        return self._variable(found["name"], found["default"], at)

    def _variable(self, name: str, default: str | None, at: Location) -> str:
        value = self.environment.get(name)
        if value is None or (not value and default is not None):
            value = default
        if value is None:
            self.problems.append(self._unset(name, at))
            return ""
        if not value.strip() and default is None and key_path(at) in REQUIRED:
            message, hint = terms.UNFILLED.filled(name=name), terms.UNFILLED_HINT.filled(name=name)
            self.problems.append(Problem(key_path(at), message, hint=hint))
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            self.problems.append(Problem(key_path(at), terms.VARIABLE_BYTES.filled(name=name)))
        if is_secret(key_path(at)):
            self.secrets.append(value)
        return value

    def _unset(self, name: str, at: Location) -> Problem:
        near = get_close_matches(name, self.environment, n=1, cutoff=0.85)
        meant = [terms.MEANT.filled(name=near[0])] if near else []
        hint = joined([*meant, terms.UNSET_HINT.filled(name=name)], "", " ")
        return Problem(key_path(at), terms.UNSET.filled(name=name), hint=hint)

    def _warn(self, name: str, at: Location) -> None:
        message, hint = terms.DOLLAR_TEXT.filled(name=name), terms.DOLLAR_HINT.filled(name=name)
        self.warnings.append(Problem(key_path(at), message, hint=hint))


def _is_plain(at: Location) -> bool:
    return at[:1] == ("chats",) or (at[:1] == ("plugins",) and not {"rules", "routes"}.isdisjoint(at[2:]))
