"""Every warning about the rules and routes of all plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from relay.errors import Problem
from relay.language import Said, joined
from relay.linting import texts
from relay.linting.alone import doubled_words, nonsense
from relay.linting.routes import circles, served, twice
from relay.linting.shadows import Alternative, Inside, Shadow, shadows
from relay.linting.spread import fan_out
from relay.linting.surroundings import Surroundings, called
from relay.linting.table import Table

MOST_NAMED = 3
"""Rules that one warning names."""


def lint(tables: Sequence[Table], around: Surroundings) -> list[Problem]:
    """What is to be said of these tables, given in the order in which their plugins run; each place once."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in _all(tables, around):
        found.setdefault((problem.path, problem.code), problem)
    return list(found.values())


def _all(tables: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    for _, listed in groupby(tables, key=lambda table: table.listing):
        yield from _of_list(list(listed), around)
    acting = [each for each in tables if each.selection.to and each.plugin not in around.observing]
    yield from circles(acting, around)
    yield from twice(acting, around)
    yield from fan_out(tables, around)


def _of_list(tables: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    inside = Inside(word for table in tables for word in table.selection.words.contains)
    for table in tables:
        yield from nonsense(table, around)
        yield from doubled_words(table, inside, around)
    for shadow in shadows(tables):
        yield from _shadowed(tables, shadow, around)
    yield from served(tables, around)


def _shadowed(tables: Sequence[Table], shadow: Shadow, around: Surroundings) -> Iterator[Problem]:
    table = tables[shadow.number]
    if shadow.is_whole:
        numbers = sorted({number for number in shadow.taken_by if number is not None})
        by = _named([tables[number] for number in numbers])
        hint = texts.SHADOWED_HINT.filled(by=by)
        yield around.problem(table, (), texts.SHADOWED.filled(by=by), hint)
        return
    for alternative, number in zip(shadow.alternatives, shadow.taken_by, strict=True):
        if number is not None:
            by = called(tables[number])
            hint = texts.WORD_SHADOWED_HINT.filled(by=by, name=called(table))
            yield around.problem(table, _place(alternative), texts.WORD_SHADOWED.filled(by=by), hint)


def _named(tables: Sequence[Table]) -> Said:
    names = joined([called(table) for table in tables[:MOST_NAMED]], "、", ", ")
    return Said(f"{names.zh} 等", f"{names.en} …") if len(tables) > MOST_NAMED else names


def _place(alternative: Alternative) -> tuple[str | int, ...]:
    return (alternative.key,) if alternative.index is None else (alternative.key, alternative.index)
