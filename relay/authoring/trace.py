"""Why a message did what it did: one line for every rule that had a say."""

from __future__ import annotations

import time
from collections.abc import Mapping

from relay.store.values import TraceLine
from relay.wire.scalars import storable

LENGTH = 300
MOST_LINES = 10_000  # of one message: what is noted beyond that would hold up the disk for others
EVERY_LINE = 1_000_000  # of a rehearsal, which is stored nowhere


class Trace:
    """Collects lines while the plugins run; `ms` is the time since the line before."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self.most = most
        self._lines: list[TraceLine] = []
        self._since = time.perf_counter()

    @property
    def lines(self) -> tuple[TraceLine, ...]:
        """What was noted so far, in order."""
        return tuple(self._lines)

    def note(self, plugin: str, rule: str, decision: str, reason: str = "") -> None:
        """Say what a rule decided, or with decision "no" which condition failed.

        What is no string is told as its `str`; what is long or cannot be stored is cut and replaced.
        """
        if len(self._lines) >= self.most:
            return
        now = time.perf_counter()
        ms = round((now - self._since) * 1000, 3)
        self._since = now
        self._lines.append(TraceLine(_words(plugin), _words(rule), _words(decision), _words(reason), ms))

    def arrange(self, places: Mapping[str, int]) -> None:
        """Put the lines in the order of their rules, by name; any others stay behind their line.

        What did not match is noted while a handler looks, what was decided once it has ended.
        """
        at, keys = -1, []
        for line in self._lines:
            at = places.get(line.rule, at)
            keys.append(at)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._lines = [self._lines[index] for index in order]

    def add(self, other: Trace) -> None:
        """Append what was noted in another trace."""
        self._lines.extend(other.lines[: self.most - len(self._lines)])
        self._since = time.perf_counter()


def _words(said: object) -> str:
    return storable(str(said)[:LENGTH])
