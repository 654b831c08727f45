"""The environment that `${NAME}` is taken from: the process's own, over the `.env` beside bot.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from relay.config import texts
from relay.config.sources import Files, read_text
from relay.errors import ConfigurationError, Problem

CURLY = re.compile("^[^=]*=\\s*[“”‘’]")


@dataclass(frozen=True, slots=True)
class Environment:
    """All variables by name, and what is wrong with the `.env` that some of them are from."""

    variables: Mapping[str, str]
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = field(default=())


def read_environment(folder: Path, environ: Mapping[str, str], files: Files | None = None) -> Environment:
    """The `.env` of this folder with the real environment over it; values in `.env` are taken literally."""
    path = folder / ".env"
    if not (path.exists() if files is None else path.name in files):
        return Environment(dict(environ))
    try:
        bindings = list(parse_stream(StringIO(read_text(path, files))))
    except ConfigurationError as exc:
        return Environment(dict(environ), exc.problems)
    filed = {b.key: b.value for b in bindings if b.key is not None and b.value is not None}
    return Environment(filed | dict(environ), tuple(_mistakes(bindings)), tuple(_doubled(bindings)))


def _mistakes(bindings: Sequence[Binding]) -> Iterator[Problem]:
    for binding in bindings:
        line = _line(binding)
        if binding.error or (binding.key is not None and binding.value is None):
            yield Problem(".env", texts.DOTENV.filled(line=line), hint=texts.DOTENV_HINT)
        elif CURLY.search(binding.original.string.strip()):
            message = texts.DOTENV_QUOTES.filled(line=line, name=binding.key)
            yield Problem(".env", message, hint=texts.DOTENV_QUOTES_HINT)


def _doubled(bindings: Sequence[Binding]) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for binding in bindings:
        if binding.key in lines:
            values = {"line": _line(binding), "name": binding.key, "first": lines[binding.key]}
            yield Problem(".env", texts.DOTENV_TWICE.filled(**values))
        if binding.key is not None:
            lines[binding.key] = _line(binding)


def _line(binding: Binding) -> int:
    """The line on which it begins; empty lines before it belong to it as well."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
