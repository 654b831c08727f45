"""Every error that relay raises on purpose.

::

    RelayError
    ├── ConfigurationError      bot.toml or the environment; carries every problem found
    ├── BodyError               a callback body that does not open; carries a reason code
    ├── StorageError            the database cannot be used as asked
    ├── PluginError             a plugin that does not load; carries file and line
    │   └── LostPluginError     one that hangs while it is loaded, or ends its process
    └── RefusalError            what somebody asked for cannot be done; carries error and hint

The class docstrings are the sentences that an operator reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from relay.language import COLON, Language, Said, Text, Words, finished

BRACKETS = Text("（{text}）", " ({text})")


class RelayError(Exception):
    """Something relay knows how to explain."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The line of a file that could not be read, secrets masked; `column` counts from 1."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of a `ConfigurationError`: where, what was found (secrets masked), and what to do about it.

    It is told in either language; `str` gives the English, for logs.
    """

    path: str
    message: Words
    value: str | None = None
    hint: Words | None = None
    excerpt: Excerpt | None = None
    line: int | None = None  #: of bot.toml, where that is known

    @property
    def code(self) -> str:
        """What programs call this kind of problem, whatever the language."""
        return finished(self.message).code or "unfit"

    def told(self, language: Language) -> str:
        """The problem on one line."""
        shown = f" = {self.value}" if self.value is not None else ""
        hint = BRACKETS.said(language, text=self.hint) if self.hint else ""
        return f"{self.path}{shown}{COLON.said(language)}{finished(self.message).said(language)}{hint}"

    def __str__(self) -> str:
        return self.told("en")


class ConfigurationError(RelayError):
    """The configuration has problems; nothing was started."""

    def __init__(self, problems: tuple[Problem, ...], language: Language | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.language = language  #: in which it is told, where bot.toml says so


class BodyError(RelayError):
    """A callback body could not be opened; it is kept for diagnosis."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StorageError(RelayError):
    """The database cannot be used as asked."""

    def __init__(self, message: Words, hint: Words | None = None, *, full: bool = False) -> None:
        super().__init__(str(message))
        self.full = full  #: whether there is no room on the disk
        self.language: Language | None = None  #: in which it is told, where that is decided already
        self._message = finished(message)
        self._hint = None if hint is None else finished(hint)

    def told(self, language: Language) -> dict[str, str | None]:
        """Error and hint as commands tell them."""
        return {"error": self._message.said(language), "hint": self._hint and self._hint.said(language)}


class PluginError(RelayError):
    """A plugin did not load: what is wrong where, and what to do about it."""

    def __init__(
        self,
        message: Words,
        file: str | None = None,
        line: int | None = None,
        hint: Words | None = None,
    ) -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        self.what = finished(message)
        self.hint = None if hint is None else finished(hint)
        self.file = file
        self.line = line
        super().__init__(place + self.message)

    @property
    def message(self) -> str:
        """What is wrong, and what to do, in English; without the place."""
        return self.told("en")

    def told(self, language: Language) -> str:
        """The same in either language."""
        hint = BRACKETS.said(language, text=self.hint) if self.hint else ""
        return f"{self.what.said(language)}{hint}"

    def placed(self, file: str | None, mask: Callable[[str], str] = str) -> Self:
        """The same at this file, without what `mask` takes out of its words."""
        hint = None if self.hint is None else _masked(self.hint, mask)
        return type(self)(_masked(self.what, mask), file, self.line, hint)

    @property
    def problem(self) -> Problem:
        """The same as a problem of the configuration is told."""
        return Problem(self.file or "", self.what._replace(code="plugin"), hint=self.hint)


def _masked(said: Said, mask: Callable[[str], str]) -> Said:
    return Said(mask(said.zh), mask(said.en), said.code)


class LostPluginError(PluginError):
    """A plugin that no process survives loading."""


class RefusalError(RelayError):
    """What was asked for cannot be done as asked.

    Commands exit with `exit_code`: 2 for a wrong question, 1 for a right one that could not be answered.
    """

    def __init__(
        self,
        error: Text,
        hint: Text | None = None,
        values: Mapping[str, object] = MappingProxyType({}),
        *,
        exit_code: int = 2,
    ) -> None:
        super().__init__(error.said("en", **values))
        self.exit_code = exit_code
        self.language: Language | None = None  #: in which it is told, where that is decided already
        self._error = error
        self._hint = hint
        self._values = values

    def told(self, language: Language) -> dict[str, str | None]:
        """Error and hint as commands and the console tell them."""
        hint = self._hint.said(language, **self._values) if self._hint else None
        return {"error": self._error.said(language, **self._values), "hint": hint}
