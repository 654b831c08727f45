"""How a command that could not do what was asked says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.called import typeable
from relay.cli.problems import problem_row, show_problem
from relay.cli.screen import clean, print_json, screen
from relay.errors import ConfigurationError, Problem, RefusalError, RelayError, StorageError
from relay.language import Language, language_of


def complain(exc: Exception, *, json: bool, environ: Mapping[str, str]) -> int:
    """Tell what went wrong, as JSON on stdout or for people on stderr, and return the exit code.

    Raises again what it cannot explain.
    """
    language = getattr(exc, "language", None) or language_of(environ)
    told: dict[str, object]
    match exc:
        case ConfigurationError():
            count = len(exc.problems)
            told = {
                "error": texts.CONFIGURATION.said(language, count=count, s="" if count == 1 else "s"),
                "hint": texts.CONFIGURATION_HINT.said(language),
                "problems": [problem_row(problem, language) for problem in exc.problems],
            }
            code = 2
        case RefusalError():
            told = {**exc.told(language)}
            code = exc.exit_code
        case StorageError():
            told = {**exc.told(language)}
            code = 1
        case RelayError():
            told = {"error": str(exc), "hint": None}
            code = 1
        case typer.TyperException():
            told = {"error": _usage_error(exc), "hint": _usage_hint(exc, language)}
            code = exc.exit_code
        case _:
            raise exc
    if json:
        print_json(told)
    else:
        _tell(told, exc.problems if isinstance(exc, ConfigurationError) else (), language)
    return code


def _usage_error(exc: typer.TyperException) -> str:
    return clean(exc.format_message())


def _usage_hint(exc: typer.TyperException, language: Language) -> str | None:
    context = getattr(exc, "ctx", None)
    return texts.USAGE_HINT.said(language, command=context.command_path) if context else None


def _tell(told: Mapping[str, object], problems: Iterable[Problem], language: Language) -> None:
    console = screen(stderr=True)
    console.print(Styled("relay: ", "bold red").append(clean(str(told["error"])), "default"), soft_wrap=True)
    for problem in problems:
        show_problem(console, problem, language)
    for line in typeable(str(told["hint"] or "")).splitlines():
        console.print(Styled("  " + clean(line), "dim"), soft_wrap=True)
