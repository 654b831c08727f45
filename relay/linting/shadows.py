"""Rules and words that never get their turn, because what is before them takes every message of theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product

from ahocorasick_rs import AhoCorasick

from relay.linting.breadth import is_certain
from relay.linting.scopes import Scope
from relay.linting.table import Table

MOST_COMPARED = 256
"""Scopes that one scope is compared with, and groups of words that one is: beyond that nothing is told."""
MOST_KEYS = 4096
"""Pairs of a chat and a sender under which one scope is looked for."""

Takers = dict[int, int]  # the number of a scope → that of the first table with it


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that is enough for a rule to match: the key, the place in its list, and the words."""

    key: str
    index: int | None
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shadow:
    """A table, and for each of its alternatives the number of the table that takes it, or None."""

    number: int
    alternatives: tuple[Alternative, ...]
    taken_by: tuple[int | None, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing gets to it."""
        return None not in self.taken_by


def alternatives_of(table: Table) -> tuple[Alternative, ...]:
    """All that can make it match; a table that asks nothing of what is said has one without words."""
    found = []
    for key, words in table.selection.alternatives():
        if key == "contains_all":
            found += [Alternative(key, None, tuple(words))] if words else []
        else:
            found += [Alternative(key, index, (word,)) for index, word in enumerate(words)]
    found += [Alternative("regex", index, (text,)) for index, text in enumerate(table.selection.patterns)]
    return tuple(found) or (Alternative("", None, ()),)


def shadows(tables: Sequence[Table]) -> Iterator[Shadow]:
    """The tables of one list of which a part or all never gets its turn."""
    scopes = _Scopes(Scope.of(table.selection) for table in tables)
    inside = Inside(word for table in tables for word in _searched(table))
    taken = _Taken(tables, inside)
    for number, table in enumerate(tables):
        alternatives = alternatives_of(table)
        above = scopes.covering(scopes.of[number])
        by = tuple(taken.by(each, above) for each in alternatives)
        if any(each is not None for each in by):
            yield Shadow(number, alternatives, by)
        if table.selection.final and table.selection.always:
            taken.add(number, scopes.of[number], alternatives)


def _searched(table: Table) -> Iterator[str]:
    yield from table.selection.words.contains
    yield from table.selection.words.contains_all


class Inside:
    """Which of many words are within a text, found in one look."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(dict.fromkeys(words))
        self._automaton = AhoCorasick(self._words) if self._words else None

    def of(self, text: str) -> set[str]:
        """The words within it, itself included."""
        if self._automaton is None:
            return set()
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return {self._words[number] for number, _, _ in found}


class _Scopes:
    """The scopes of all tables, each once, and which cover which."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        numbers: dict[Scope, int] = {}
        self.of = [numbers.setdefault(scope, len(numbers)) for scope in scopes]
        self._scopes = tuple(numbers)
        self._by: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for number, scope in enumerate(self._scopes):
            for key in _keys(scope):
                self._by[key].append(number)
        self._known: dict[int, Mapping[int, None]] = {}

    def covering(self, number: int) -> Mapping[int, None]:
        """The numbers of the scopes that cover this one, itself included."""
        if number not in self._known:
            scope = self._scopes[number]
            few = list(dict.fromkeys((number, *self._near(scope))))[:MOST_COMPARED]
            self._known[number] = dict.fromkeys(n for n in few if self._scopes[n].covers(scope))
        return self._known[number]

    def _near(self, scope: Scope) -> Iterator[int]:
        """Those that may cover it, the ones for all first: such a one is for any of its chats and senders."""
        chats = ("", *_rarest(scope.chats.only or (), lambda chat: len(self._by.get((chat, ""), ()))))
        senders = ("", *_rarest(scope.senders.only or (), lambda sender: len(self._by.get(("", sender), ()))))
        for chat in chats:
            for sender in senders:
                yield from self._by.get((chat, sender), ())[:MOST_COMPARED]


def _keys(scope: Scope) -> Iterable[tuple[str, str]]:
    """Under which chats and senders it is found; "" for all, or for too many."""
    chats, senders = scope.chats.only or ("",), scope.senders.only or ("",)
    if len(chats) * len(senders) > MOST_KEYS:
        senders = ("",)
    return product(chats, senders)


def _rarest(words: Iterable[str], many: Callable[[str], int]) -> Iterable[str]:
    return [min(words, key=many)] if words else ()


class _Taken:
    """What the tables so far let nobody see after them, by the words that they look for."""

    def __init__(self, tables: Sequence[Table], inside: Inside) -> None:
        self._inside = inside
        self._frequency = Counter(w for table in tables for w in table.selection.words.contains_all)
        self._everything: Takers = {}  # also what has no text
        self._any_text: Takers = {}
        self._same: defaultdict[tuple[str, str], Takers] = defaultdict(dict)  # by key and word
        self._groups: defaultdict[str, dict[frozenset[str], Takers]] = defaultdict(dict)
        self._lengths: set[int] = set()

    def add(self, number: int, scope: int, alternatives: Iterable[Alternative]) -> None:
        """Take note of a table that lets nothing through."""
        for each in alternatives:
            if not each.key:
                self._everything.setdefault(scope, number)
            elif each.key == "contains_all":
                rarest = min(each.words, key=lambda word: self._frequency[word])
                if len(self._groups[rarest]) < MOST_COMPARED:
                    self._groups[rarest].setdefault(frozenset(each.words), {}).setdefault(scope, number)
            elif each.key == "regex" and is_certain(each.words[0]):
                self._any_text.setdefault(scope, number)
            else:
                word = each.words[0].strip() if each.key in ("equals", "prefix") else each.words[0]
                self._same[each.key, word].setdefault(scope, number)
                if each.key == "prefix":
                    self._lengths.add(len(word))

    def by(self, alternative: Alternative, above: Mapping[int, None]) -> int | None:
        """The first table that takes all that this alternative matches, of those whose scope is above its."""
        every = chain(self._takers(alternative), self._wholes(alternative))
        firsts = (_first(takers, above) for takers in every)
        return min((first for first in firsts if first is not None), default=None)

    def _takers(self, alternative: Alternative) -> Iterator[Takers]:
        yield self._everything
        if not alternative.key:
            return
        yield self._any_text
        if alternative.key == "regex":
            yield self._same.get(("regex", alternative.words[0]), {})
            return
        for word in self._within(alternative):
            yield self._same.get(("contains", word), {})
        if alternative.key in ("equals", "prefix"):
            word = alternative.words[0].strip()
            for length in self._lengths:
                if length <= len(word):
                    yield self._same.get(("prefix", word[:length]), {})
        if alternative.key == "equals":
            yield self._same.get(("equals", alternative.words[0].strip()), {})

    def _wholes(self, alternative: Alternative) -> Iterator[Takers]:
        """The groups of words that are all in what this alternative matches."""
        if not alternative.key or alternative.key == "regex":
            return
        within = self._within(alternative)
        for word in within & self._groups.keys():
            for words, takers in self._groups[word].items():
                if words <= within:
                    yield takers

    def _within(self, alternative: Alternative) -> set[str]:
        """The words that are in every text that this alternative matches, as far as its own words tell."""
        bare = alternative.key in ("equals", "prefix")
        return set().union(*(self._inside.of(w.strip() if bare else w) for w in alternative.words))


def _first(takers: Takers, above: Mapping[int, None]) -> int | None:
    few, many = (takers, above) if len(takers) < len(above) else (above, takers)
    return min((takers[scope] for scope in few if scope in many), default=None)
