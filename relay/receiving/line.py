"""What of the journals has yet to be taken in, in its order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from relay.store.journal import Journal


@dataclass(slots=True)
class Stretch:
    """A part of a journal whose turn it is after another one's; `known` is what has come by another way.

    Nothing in it that has yet to be taken in was received before `since`.
    """

    journal: Journal
    end: int
    since: int
    known: bool


class Line:
    """Parts of journals, one after the other."""

    def __init__(self) -> None:
        self._stretches: deque[Stretch] = deque()

    def __bool__(self) -> bool:
        return bool(self._stretches)

    @property
    def first(self) -> Stretch:
        """Whose turn it is."""
        return self._stretches[0]

    def drop_first(self) -> None:
        """All of it has been taken in."""
        self._stretches.popleft()

    def follow_on(self, journal: Journal, end: int, since: int, *, known: bool) -> None:
        """What a journal has before `end`, received at `since`, comes last."""
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.journal is journal and last.known == known:
            last.end = end
        else:
            self._stretches.append(Stretch(journal, end, since, known))

    def holds(self, journal: Journal) -> bool:
        """Whether some of it is still to come."""
        return any(stretch.journal is journal for stretch in self._stretches)

    def since(self) -> int | None:
        """Nothing in it was received before that; None where nothing is in it."""
        return min((stretch.since for stretch in self._stretches), default=None)
