"""Every error that relay raises on purpose.

::

    RelayError
    ├── ConfigurationError      bot.toml or the environment; carries every problem found
    ├── BodyError               a callback body that does not open; carries a reason code
    ├── StorageError            the database cannot be used as asked
    └── PluginError             a plugin that does not load; carries file and line

The class docstrings are the sentences that an operator reads.
"""

from __future__ import annotations

from dataclasses import dataclass


class RelayError(Exception):
    """Something relay knows how to explain."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of a `ConfigurationError`: where, what was found (secrets masked), and what to do about it."""

    path: str
    message: str
    value: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value is not None else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}{shown}: {self.message}{hint}"


class ConfigurationError(RelayError):
    """The configuration has problems; nothing was started."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class BodyError(RelayError):
    """A callback body could not be opened; it is kept for diagnosis."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StorageError(RelayError):
    """The database cannot be used as asked."""


class PluginError(RelayError):
    """A plugin did not load."""

    def __init__(self, message: str, file: str | None = None, line: int | None = None) -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(place + message)
        self.message = message
        self.file = file
        self.line = line
