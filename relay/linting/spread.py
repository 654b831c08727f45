"""How many sends one message makes: only what acts on one and the same message is added up."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Self

from relay.errors import Problem
from relay.linting import texts
from relay.linting.routes import chooses
from relay.linting.scopes import TEXTS, Scope, Those
from relay.linting.shadows import alternatives_of
from relay.linting.surroundings import Surroundings
from relay.linting.table import Table
from relay.wire.entries import PRIVATE, ROOM

ANYWHERE = ""
MOST_KINDS = 32
"""Kinds of messages that are tried in one chat, those first that may go to most others."""
MOST_STEPS = 40_000
"""Tables that are looked at for it, over all chats: what comes after that is not told."""

NOTHING = -1  # the number of no kind

Listed = Sequence[tuple[int, Table]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Messages that are alike in whom they come from, when, and, where that is fixed, in their words."""

    senders: Those
    accounts: Those
    types: Those
    minutes: int
    said: frozenset[str] | None  #: the only texts; None: any

    @classmethod
    def of(cls, table: Table) -> Self | None:
        """What a table chooses, whatever the chat; None for nothing."""
        scope, chosen = Scope.of(table.selection), table.selection
        only = [key for key, words in chosen.alternatives() if words] == ["equals"] and not chosen.patterns
        said = frozenset(word.strip() for word in chosen.words.equals) if only else None
        wordless = not (chosen.patterns or any(words for _, words in chosen.alternatives()))
        types = scope.types if wordless else scope.types.both(Those.of(TEXTS))
        return None if types is None else cls(scope.senders, scope.accounts, types, scope.minutes, said)

    def both(self, other: Kind) -> Kind | None:
        """What is of either kind; None where nothing is."""
        senders, accounts = self.senders.both(other.senders), self.accounts.both(other.accounts)
        types, minutes = self.types.both(other.types), self.minutes & other.minutes
        said = other.said if self.said is None else self.said
        if self.said is not None and other.said is not None:
            said = self.said & other.said
        if senders is None or accounts is None or types is None or not minutes or said == frozenset():
            return None
        return Kind(senders, accounts, types, minutes, said)


def fan_out(tables: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    """Chats in which one message makes more sends than an account has in a minute."""
    told: set[str] = set()
    count = _Count(around.per_minute)
    for chat, listed in _by_chat(tables, around):
        if count.is_over:
            break
        found = None if chat in told else count.first(chat, listed)
        if found is not None:
            table, many = found
            told.update(table.sources)
            where = around.chat(chat) if chat else texts.ANYWHERE
            message = texts.FAN_OUT.filled(chat=where, count=many, per_minute=around.per_minute)
            yield around.problem(table, (), message, texts.FAN_OUT_HINT)


def _by_chat(tables: Sequence[Table], around: Surroundings) -> Iterator[tuple[str, Listed]]:
    """For each chat from which many may be reached, what acts there, in its order."""
    by_chat: defaultdict[str, list[tuple[int, Table]]] = defaultdict(list)
    reached: Counter[str] = Counter()
    for number, table in enumerate(tables):
        if table.plugin in around.observing:
            continue
        for chat in table.sources if table.selection.chats else (ANYWHERE,):
            by_chat[chat].append((number, table))
            reached[chat] += len(table.selection.to)
    anywhere = by_chat.get(ANYWHERE, [])
    everywhere = len({chat for _, table in anywhere for chat in table.selection.to})
    for chat, own in by_chat.items():
        if reached[chat] and reached[chat] + everywhere > around.per_minute:
            listed = heapq.merge(own, anywhere, key=itemgetter(0)) if chat and anywhere else own
            yield chat, [each for each in listed if _acts_in(chat, each[1], around.switches)]


def _acts_in(chat: str, table: Table, switches: Mapping[str, Those]) -> bool:
    here = Those.of((chat,) if chat else ())
    switch = switches.get(table.plugin)
    if switch is not None and not switch.meets(here):
        return False
    other = PRIVATE if chat.startswith("R:") else ROOM
    return not chat or (table.selection.chat_type != other and chat not in table.selection.not_chats)


class _Taken:
    """The tables that act on one message, as far as their words allow."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._wary: list[Table] = []

    def add(self, table: Table) -> None:
        """This one acts on it as well."""
        self._tables.append(table)
        if table.selection.not_contains:
            self._wary.append(table)

    def steps(self, table: Table, said: frozenset[str] | None) -> int:
        """About how many tables have to be looked at to tell whether it may act on it."""
        others = self._tables if table.selection.not_contains else self._wary
        return 1 + len(others) + len(said or ()) * len(self._tables)

    def allows(self, table: Table, said: frozenset[str] | None) -> bool:
        """Whether it may: some text, of these where it is one of these, is for all of them."""
        others = self._tables if table.selection.not_contains else self._wary
        if any(_excludes(table, other) or _excludes(other, table) for other in others):
            return False
        together = (table, *self._tables) if said else ()
        return said is None or any(all(chooses(each, text) for each in together) for text in said)


class _Count:
    """Counts the chats that one message goes to, in a bounded number of steps."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = MOST_STEPS
        self._numbers: dict[Kind, int] = {}
        self._kinds: list[Kind] = []
        self._of: dict[int, int] = {}
        self._both: dict[tuple[int, int], int] = {}
        self._looked: set[tuple[object, ...]] = set()

    @property
    def is_over(self) -> bool:
        """Whether all steps are used up."""
        return self._left < 0

    def first(self, chat: str, listed: Listed) -> tuple[Table, int] | None:
        """The table with which it becomes too many, and how many these are."""
        self._left -= len(listed)
        for account in dict.fromkeys(table.selection.account for _, table in listed):
            reached = set(chain.from_iterable(t.selection.to for _, t in listed if _sends(t, account)))
            looked = (account, chat in reached, *(number for number, _ in listed))
            if len(reached - {chat}) <= self._most or looked in self._looked:
                continue
            self._looked.add(looked)
            for kind in self._tried(listed):
                found = self._walk(chat, account, listed, kind)
                if found is not None:
                    return found
        return None

    def _tried(self, listed: Listed) -> list[int]:
        """The kinds that most may become of."""
        reached: Counter[int] = Counter()
        for number, table in listed:
            reached[self._kind(number, table)] += len(table.selection.to)
        return [kind for kind, _ in reached.most_common(MOST_KINDS) if kind != NOTHING]

    def _walk(self, chat: str, account: str, listed: Listed, kind: int) -> tuple[Table, int] | None:
        """The same for messages of one kind: what acts on them narrows it down for whatever follows."""
        reached, taken = {chat}, _Taken()
        for number, table in listed:
            both = self._meeting(kind, self._kind(number, table))
            said = None if both == NOTHING else self._kinds[both].said
            self._left -= taken.steps(table, said)
            if self._left < 0:
                return None
            if both == NOTHING or not taken.allows(table, said):
                continue
            new = set(table.selection.to if _sends(table, account) else ()) - reached
            many = len(reached) + len(new) - 1
            if new and many > self._most:
                return table, many
            if not table.selection.final:
                kind = both
                taken.add(table)
                reached.update(new)
            elif both == kind and _takes_all(table):
                break  # what is behind another final one is for messages that it does not choose
        return None

    def _kind(self, number: int, table: Table) -> int:
        if number not in self._of:
            kind = Kind.of(table)
            self._of[number] = NOTHING if kind is None else self._numbered(kind)
        return self._of[number]

    def _numbered(self, kind: Kind) -> int:
        number = self._numbers.setdefault(kind, len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append(kind)
        return number

    def _meeting(self, one: int, other: int) -> int:
        """The number of what is of both kinds."""
        if one == other or other == NOTHING:
            return other
        if (one, other) not in self._both:
            both = self._kinds[one].both(self._kinds[other])
            self._both[one, other] = NOTHING if both is None else self._numbered(both)
        return self._both[one, other]


def _sends(table: Table, account: str) -> bool:
    return table.selection.account == account


def _takes_all(table: Table) -> bool:
    """Whether nothing of the messages that it is for gets past it, whatever they say."""
    return table.selection.always and table.selection.is_anything


def _excludes(table: Table, other: Table) -> bool:
    """Whether there is a word that this one does not want in whatever the other one matches."""
    unwanted = table.selection.not_contains
    return bool(unwanted) and all(
        each.key != "regex" and any(bad in word for word in each.words for bad in unwanted)
        for each in alternatives_of(other)
    )
