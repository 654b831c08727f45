"""At which line of bot.toml something stands, which tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from relay.config.problems import Location, key_path
from relay.errors import Problem

_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')'''
    r"|(?P<skip>#[^\n]*|[ \t\r]+)|(?P<end>\n)|(?P<sign>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.#\"']+)",
    re.DOTALL,
)


def lines_of(text: str) -> Mapping[Location, int]:
    """The line of every key, table and list entry of a TOML file, from 1; it must be one that can be read."""
    walk = _Walk()
    for found in _TOKEN.finditer(f"{text}\n"):
        if found.lastgroup != "skip":
            walk.take(found.lastgroup or "", found[0])
        walk.line += found[0].count("\n")
    return walk.lines


class _Walk:
    """What has been read so far: the table it is in, and the lists and inline tables that are open."""

    def __init__(self) -> None:
        self.line = 1
        self.lines: dict[Location, int] = {}
        self._table: Location = ()
        self._listed: Counter[Location] = Counter()
        self._header = ""
        self._key: list[str] = []
        self._at: Location = ()
        self._open: list[tuple[str, Location, int]] = []  # the bracket, where it stands, how many entries
        self._in_key = True
        self._begins = False  #: whether the next value is another one of its list

    def take(self, kind: str, sign: str) -> None:
        """Go on by one sign or word."""
        if self._header:
            self._head(kind, sign)
        elif self._in_key:
            self._name(kind, sign)
        else:
            self._value(kind, sign)

    def _name(self, kind: str, sign: str) -> None:
        """A key, or what opens a table."""
        if sign == "=":
            below = self._open[-1][1] if self._open else self._table
            self._at = (*below, *self._key)
            self.lines.setdefault(self._at, self.line)
            self._in_key, self._key = False, []
        elif sign == "[" and not self._key and not self._open:
            self._header = "["
        elif sign == "}":
            self._close()
        elif kind in ("text", "bare"):
            self._key.append(_word(kind, sign))

    def _head(self, kind: str, sign: str) -> None:
        if sign == "[" and not self._key:
            self._header = "[["
        elif kind in ("text", "bare"):
            self._key.append(_word(kind, sign))
        elif kind == "end":
            at = self._within(self._key[:-1])
            last: Location = (*at, *self._key[-1:])
            if self._header == "[[":
                last = (*last, self._listed[last])
                self._listed[last[:-1]] += 1
            self._table = last
            self.lines.setdefault(last, self.line)
            self._header, self._key = "", []

    def _within(self, names: list[str]) -> Location:
        """Where these tables are: of a list of tables, in the last one."""
        at: Location = ()
        for name in names:
            at = (*at, name)
            if at in self._listed:
                at = (*at, self._listed[at] - 1)
        return at

    def _value(self, kind: str, sign: str) -> None:
        if sign == "[":
            self._entry()
            self._open.append(("[", self._at, 0))
            self._begins = True
        elif sign == "{":
            self._entry()
            self._open.append(("{", self._at, 0))
            self._in_key = True
        elif sign in ("]", "}"):
            self._close()
        elif sign == ",":
            self._in_key = self._open[-1][0] == "{"
            self._begins = True
        elif kind == "end":
            self._in_key = not self._open
        elif kind in ("text", "bare"):
            self._entry()

    def _entry(self) -> None:
        """A value begins, or goes on; in a list it is the next one."""
        if self._begins and self._open and self._open[-1][0] == "[":
            bracket, at, count = self._open[-1]
            self._open[-1] = (bracket, at, count + 1)
            self._at = (*at, count)
            self.lines.setdefault(self._at, self.line)
        self._begins = False

    def _close(self) -> None:
        _, self._at, _ = self._open.pop()
        self._in_key = False


def _word(kind: str, sign: str) -> str:
    return str(tomllib.loads(f"x = {sign}")["x"]) if kind == "text" else sign


def placed(problems: Iterable[Problem], text: str) -> tuple[Problem, ...]:
    """The problems with their lines in this text of bot.toml, as far as it can be read."""
    found = tuple(problems)
    if not found:
        return ()
    try:
        tomllib.loads(text)
        lines = {key_path(at): line for at, line in lines_of(text).items()}
    except (ValueError, RecursionError, IndexError):
        return found
    return tuple(replace(each, line=_nearest(each.path, lines)) for each in found)


def _nearest(path: str, lines: Mapping[str, int]) -> int | None:
    """The line of this key, or of the table that lacks it."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path)
