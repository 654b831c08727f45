"""What is wrong with a rule or route by itself: it takes everything, or nothing, or says a thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relay.errors import Problem
from relay.language import Words
from relay.linting import texts
from relay.linting.breadth import is_likely
from relay.linting.scopes import TEXTS, Those
from relay.linting.shadows import Alternative, Inside, alternatives_of
from relay.linting.surroundings import Surroundings
from relay.linting.table import Table

ROOM = "R:"


def nonsense(table: Table, around: Surroundings) -> Iterator[Problem]:
    """Every condition of this table that is never true, or true of everything."""
    for key, why, hint in _never(table, around):
        yield around.problem(table, (key,) if key else (), texts.NEVER.filled(why=why), hint)
    for index, pattern in enumerate(table.selection.patterns):
        if is_likely(pattern):
            yield around.problem(table, ("regex", index), texts.EVERY_TEXT, texts.EVERY_TEXT_HINT)


def _never(table: Table, around: Surroundings) -> Iterator[tuple[str, Words, Words]]:
    yield from _never_there(table)
    yield from _never_said_by(table, around)
    yield from _never_said(table)
    switch = around.switches.get(table.plugin)
    if switch is not None and table.sources and not switch.meets(Those.of(table.sources)):
        hint = texts.SWITCH_HINT.filled(plugin=table.plugin)
        yield table.key("chats"), texts.SWITCHED_OFF.filled(plugin=table.plugin), hint


def _never_there(table: Table) -> Iterator[tuple[str, Words, Words]]:
    kind, sources = table.selection.chat_type, table.sources
    if not sources:
        return
    if kind == "private" and all(chat.startswith(ROOM) for chat in sources):
        yield "chat_type", texts.ROOMS_ONLY, texts.CHECK_HINT
    if kind == "room" and not any(chat.startswith(ROOM) for chat in sources):
        yield "chat_type", texts.PRIVATE_ONLY, texts.CHECK_HINT


def _never_said_by(table: Table, around: Surroundings) -> Iterator[tuple[str, Words, Words]]:
    chosen = table.selection
    if chosen.senders and all(sender.startswith(ROOM) for sender in chosen.senders):
        yield "senders", texts.ROOM_SENDERS, texts.PEOPLE_HINT
    elif chosen.senders and not chosen.own and set(chosen.senders) <= set(around.accounts):
        yield "senders", texts.OUR_SENDERS, texts.OWN_HINT
    if chosen.accounts and all(account.startswith(ROOM) for account in chosen.accounts):
        yield "accounts", texts.ROOM_ACCOUNTS, texts.ACCOUNTS_HINT


def _never_said(table: Table) -> Iterator[tuple[str, Words, Words]]:
    chosen = table.selection
    keys = [key for key, words in chosen.alternatives() if words]
    types = set(chosen.types) - set(chosen.not_types)
    if keys and types and not types & TEXTS:
        yield keys[0], texts.NO_TEXT.filled(types=", ".join(sorted(types))), texts.CHECK_HINT
    elif keys and not chosen.patterns and all(_unwanted(table, each) for each in alternatives_of(table)):
        yield keys[0], texts.UNWANTED, texts.CHECK_HINT


def _unwanted(table: Table, alternative: Alternative) -> str | None:
    """The word of `not_contains` that is in whatever this alternative matches."""
    found = (bad for bad in table.selection.not_contains if any(bad in word for word in alternative.words))
    return next(found, None)


def doubled_words(table: Table, inside: Inside, around: Surroundings) -> Iterator[Problem]:
    """Words that another word of the same table makes needless."""
    alternatives = [each for each in alternatives_of(table) if each.index is not None]
    first: dict[tuple[str, str], int] = {}
    for each in alternatives:
        first.setdefault((each.key, _bare(each)), each.index or 0)
    for each in alternatives:
        other = _other(each, first, inside, table.selection.words.prefix)
        if other is not None:
            message = texts.WORD_DOUBLED.filled(other=f"{other[0]}[{other[1]}]")
            yield around.problem(table, (each.key, each.index or 0), message, texts.WORD_DOUBLED_HINT)


def _bare(alternative: Alternative) -> str:
    word = alternative.words[0]
    return word.strip() if alternative.key in ("equals", "prefix") else word


def _other(
    alternative: Alternative, first: dict[tuple[str, str], int], inside: Inside, prefixes: Sequence[str]
) -> tuple[str, int] | None:
    """Key and place of what matches whenever this one does."""
    word = _bare(alternative)
    own = first[alternative.key, word]
    if own != alternative.index:
        return alternative.key, own
    if alternative.key == "regex":
        return None
    for shorter in inside.of(word):
        if ("contains", shorter) in first and (alternative.key, word) != ("contains", shorter):
            return "contains", first["contains", shorter]
    if alternative.key in ("equals", "prefix") and prefixes:
        for length in range(1, len(word) + (alternative.key == "equals")):
            if ("prefix", word[:length]) in first:
                return "prefix", first["prefix", word[:length]]
    return None
