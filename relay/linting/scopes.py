"""Which messages a rule or route is for, but for their words: who, where, what and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from relay.authoring.schedule import DAYS, Hours
from relay.authoring.selection import Selection

DAY = 24 * 60
WEEK = 7 * DAY
ALWAYS = (1 << WEEK) - 1
TEXTS = frozenset({"text", "announcement"})
"""The types of messages in which there are words."""


@dataclass(frozen=True, slots=True)
class Those:
    """Some of a kind: `only` these, or, where that is None, all but some."""

    only: frozenset[str] | None
    but: frozenset[str]

    @classmethod
    def of(cls, only: Iterable[str], but: Iterable[str] = ()) -> Self:
        """As rules say it: nothing in `only` means all."""
        some, others = frozenset(only), frozenset(but)
        return cls(some - others, frozenset()) if some else cls(None, others)

    def covers(self, other: Those) -> bool:
        """Whether each of the others is one of these."""
        if self.only is not None:
            return other.only is not None and other.only <= self.only
        return self.but.isdisjoint(other.only) if other.only is not None else self.but <= other.but

    def meets(self, other: Those) -> bool:
        """Whether any may be both."""
        if self.only is None and other.only is None:
            return True
        if self.only is None or other.only is None:
            some, but = (self.only or other.only or frozenset(), self.but | other.but)
            return not some <= but
        return not self.only.isdisjoint(other.only)

    def both(self, other: Those) -> Those | None:
        """Those that are among either; None where nobody is."""
        if self.only is None and other.only is None:
            return Those(None, self.but | other.but)
        some, others = (self, other) if self.only is not None else (other, self)
        assert some.only is not None  # noqa: S101 - one of them has it
        left = some.only - others.but if others.only is None else some.only & others.only
        return Those(left, frozenset()) if left else None


@dataclass(frozen=True, slots=True)
class Scope:
    """All that a selection asks beside its words."""

    chats: Those
    senders: Those
    accounts: Those
    types: Those
    chat_type: str
    minutes: int  #: of the week, a bit for each
    not_contains: frozenset[str]
    late: bool
    own: bool

    @classmethod
    def of(cls, selection: Selection) -> Self:
        """What this selection asks."""
        return cls(
            Those.of(selection.chats, selection.not_chats),
            Those.of(selection.senders, selection.not_senders),
            Those.of(selection.accounts),
            Those.of(selection.types, selection.not_types),
            selection.chat_type,
            minutes(selection.hours, tuple(selection.days)),
            frozenset(selection.not_contains),
            selection.late,
            selection.own,
        )

    def covers(self, other: Scope) -> bool:
        """Whether this one asks nothing that the other does not ask as well; never true by mistake."""
        return self.chats.covers(other.chats) and self.covers_elsewhere(other)

    def covers_elsewhere(self, other: Scope) -> bool:
        """The same, whatever the chats."""
        return (
            self.senders.covers(other.senders)
            and self.accounts.covers(other.accounts)
            and self.types.covers(other.types)
            and self.chat_type in ("any", other.chat_type)
            and not other.minutes & ~self.minutes
            and self.late >= other.late
            and self.own >= other.own
            and all(any(n in word for n in other.not_contains) for word in self.not_contains)
        )

    def meets(self, other: Scope) -> bool:
        """Whether one message may be in both, as far as its words allow."""
        return (
            self.chats.meets(other.chats)
            and self.senders.meets(other.senders)
            and self.accounts.meets(other.accounts)
            and self.types.meets(other.types)
            and ("any" in (self.chat_type, other.chat_type) or self.chat_type == other.chat_type)
            and bool(self.minutes & other.minutes)
        )


@lru_cache(maxsize=1024)
def minutes(hours: Hours, days: Sequence[str]) -> int:
    """The minutes of a week, from Monday, that these hours and days include, as bits."""
    if not hours and not days:
        return ALWAYS
    length = (hours.end - hours.begin) % DAY or DAY
    once = (1 << length) - 1
    found = 0
    for number, day in enumerate(DAYS):
        if not days or day in days:
            found |= once << (number * DAY + hours.begin)
    return (found | found >> WEEK) & ALWAYS  # Sunday's night is over on Monday
