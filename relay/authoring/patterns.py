"""Regular expressions in RE2's syntax, which no pattern and no text can make slow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import re2
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from relay.config import texts
from relay.config.problems import UnfitError, mistaken
from relay.language import Text

MOST_MEMORY = 64 << 20  # bytes for all patterns as one; each alone has RE2's own 8 MB
SYNTAX = Text("RE2 没有环视和反向引用", "RE2 has no lookaround and no backreferences")
WRONG = Text("第 {at} 个字符处有误：{what}", "{what} at character {at}")


class Pattern:
    """An RE2 pattern; raises `UnfitError` with the position of what is wrong with it."""

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as exc:
            raise _misfit(text, exc) from None
        self.text = text
        self.names: tuple[str, ...] = tuple(self._compiled.groupindex)

    def search(self, text: str) -> dict[str, str] | None:
        """The named groups of the first match, "" for one that had no part in it; None without a match."""
        found = self._compiled.search(text.encode("utf-8", "replace"))
        if found is None:
            return None
        groups: dict[str, bytes | None] = found.groupdict()
        return {name: (group or b"").decode("utf-8", "replace") for name, group in groups.items()}

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read)

    @classmethod
    def _read(cls, value: object) -> Pattern:
        if not isinstance(value, str):
            raise mistaken(Text("模式", "a pattern"), value)
        if not value:
            raise UnfitError(texts.EMPTY, Text("否则每段文本都会命中", "it would match every text"))
        return cls(value)


class Patterns:
    """Many patterns as one, to find out in one look that none of them matches."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        texts = [pattern.text for pattern in patterns]
        self._none = not texts
        # An unclosed \Q would quote the patterns behind it.
        alone = self._none or any(r"\Q" in text for text in texts)
        self._one = None if alone else _compiled("|".join(f"(?:{text})" for text in texts))

    def may_match(self, text: str) -> bool:
        """False where no pattern matches; where one may, each is to be asked."""
        if self._one is None:
            return not self._none
        return self._one.search(text.encode("utf-8", "replace")) is not None


def _compiled(whole: str) -> Any:  # noqa: ANN401, RUF100 - google-re2 has no types
    """All in one; None where they are too many for that."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MOST_MEMORY
    try:
        return re2.compile(whole, options)
    except re2.error:
        return None


def _misfit(pattern: str, error: Exception) -> UnfitError:
    said = error.args[0] if error.args else b""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    what, _, part = words.partition(": ")
    hint = SYNTAX if "(?" in part or "escape" in what else None
    return UnfitError(WRONG.filled(what=what, at=_position(pattern, what, part) + 1), hint)


def _position(pattern: str, what: str, part: str) -> int:
    """Where the mistake stands; RE2 says what it is, and for parentheses quotes the whole pattern."""
    if what.startswith("trailing"):
        return len(pattern) - 1
    if what.startswith(("missing )", "unexpected )")):
        return _unpaired(pattern, closing=what.startswith("unexpected"))
    return max(0, pattern.find(part))


def _unpaired(pattern: str, *, closing: bool) -> int:
    opened: list[int] = []
    for at, sign in _parentheses(pattern):
        if sign == "(":
            opened.append(at)
        elif opened:
            opened.pop()
        elif closing:
            return at
    return opened[-1] if opened else 0


def _parentheses(pattern: str) -> Iterator[tuple[int, str]]:
    """The parentheses that group, not those that are escaped or stand in a character class."""
    for found in re.finditer(r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", pattern, re.DOTALL):
        if found[0] in "()":
            yield found.start(), found[0]
