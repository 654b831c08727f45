"""How a problem of the configuration looks: where first, then what was found, what is wrong, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Styled

from relay.cli.screen import clean
from relay.errors import Excerpt, Problem
from relay.language import COLON, Language, Words, finished

INDENT = "  "
_WIDE = "\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60"
_CLOSING = "，。；：、！？）」』”…"
_PIECE = re.compile(rf"\s+|[（「『“]*(?:[{_WIDE}]|[^\s{_WIDE}]+)[{_CLOSING}]*")
"""What a line is not broken within: a word, or a Chinese character with the punctuation that clings to it."""


def problem_row(problem: Problem, language: Language) -> dict[str, object]:
    """A problem for programs: told in the operator's language; its `code` and English never change."""
    excerpt = problem.excerpt
    return {
        "path": problem.path,
        "code": problem.code,
        "value": problem.value,
        "message": _said(problem.message, language),
        "hint": _said(problem.hint, language),
        "excerpt": excerpt and {"line": excerpt.line, "column": excerpt.column, "text": excerpt.text},
        "english": {"message": _said(problem.message, "en"), "hint": _said(problem.hint, "en")},
    }


def _said(words: Words | None, language: Language) -> str | None:
    return None if words is None else finished(words).said(language)


def show_problem(console: Console, problem: Problem, language: Language, label: str = "") -> None:
    """Print a problem, on one line if there is room, else with the hint below it."""
    first = Styled(INDENT)
    if label:
        first.append(f"{label} ", "yellow")
    first.append_text(_what(problem, language))
    hint = clean(_said(problem.hint, language) or "")
    rest = Styled(f"（{hint}）" if language == "zh" else f" ({hint})", "dim") if hint else Styled()
    if not problem.excerpt and cell_len(first.plain + rest.plain) <= console.width:
        console.print(first.append_text(rest), soft_wrap=True)
        return
    _print(console, first, INDENT * 3)
    if problem.excerpt:
        for line in _drawn(problem.excerpt):
            console.print(line, soft_wrap=True)
    if hint:
        _print(console, Styled(f"{INDENT * 2}→ {hint}", "dim"), INDENT * 3)


def _what(problem: Problem, language: Language) -> Styled:
    line = Styled().append(clean(problem.path), "bold")
    if problem.value is not None:
        line.append(" = ", "dim").append(clean(problem.value), "yellow")
    line.append(COLON.said(language))
    return line.append(clean(_said(problem.message, language) or ""))


def _print(console: Console, line: Styled, indent: str) -> None:
    for number, part in enumerate(wrapped(line, console.width, len(indent))):
        console.print(Styled(indent if number else "").append_text(part), soft_wrap=True)


def wrapped(line: Styled, width: int, indent: int) -> Iterator[Styled]:
    """The line in parts that fit, the later ones behind an indent; none is broken within a word."""
    cuts, used = [], 0
    for piece in _PIECE.finditer(line.plain):
        cells = cell_len(piece[0])
        if used + cells > width and used > indent and not piece[0].isspace():
            cuts.append(piece.start())
            used = indent
        used += cells
    for part in line.divide(cuts):
        part.rstrip()
        yield part


def _drawn(excerpt: Excerpt) -> Iterator[Styled]:
    """The offending line, and a mark under the place where reading stopped."""
    number = str(excerpt.line)
    before = cell_len(excerpt.text[: excerpt.column - 1])
    yield Styled(f"{INDENT * 2}{number} │ ", "dim").append(excerpt.text, "not dim yellow")
    yield Styled(f"{INDENT * 2}{' ' * len(number)} │ ", "dim").append(" " * before + "^", "not dim bold red")
