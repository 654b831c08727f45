"""All connections of a server together: who waits for what, since when, and who has to go.

One sweep looks at whoever has waited too long: a timer for each would cost more than its requests do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger("relay.connections")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much patience there is; times in seconds, sizes in bytes."""

    within: float = 10.0  #: for a whole request, from the first moment that it is waited for
    prompt: float = 1.0  #: so long nobody is taken for slow; whoever pushes has given up by then
    linger: float = 2.0  #: for an answer to arrive at somebody who is still sending
    lingering_bytes: int = 16 * 1024 * 1024  #: that are read, unheeded, meanwhile
    connections: int = 4096
    idle: float = 75.0  #: between two requests; longer than proxies keep theirs (nginx: 60): they close first
    unread: int = 64 * 1024 * 1024  #: of bodies that have begun and not ended, all together


class Member(Protocol):
    """A connection, as far as a crowd knows it."""

    place: Place | None
    unread: int  #: bytes of an unfinished body, as the crowd has counted them

    def cut(self) -> None:
        """End it at once."""

    def retire(self) -> None:
        """End it, unless somebody is using it."""


Place = dict[Member, float]


class Crowd:
    """All connections of a server, by what they wait for, each with the moment since when; oldest first."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.waiting: Place = {}  #: for the rest of a request, or to be read from
        self.idle: Place = {}  #: kept alive between two requests
        self.leaving: Place = {}  #: answered for the last time
        self.most = limits.connections
        self.unread = 0
        self.closing = False  #: whether each answer is now its connection's last
        self._clock = clock
        self._told: Counter[str] = Counter()

    def move(self, connection: Member, place: Place | None) -> None:
        """Let it wait there from now on, unless it does already."""
        if connection.place is place:
            return
        if connection.place is not None:
            connection.place.pop(connection, None)
        connection.place = place
        if place is not None:
            place[connection] = self._clock()

    def admit(self, connection: Member) -> None:
        """Take it in; where there is no room, whoever has waited longest goes, so nobody new is kept out."""
        if len(self.waiting) + len(self.idle) + len(self.leaving) >= self.most:
            oldest = next((place for place in self._dispensable() if place), None)
            if oldest:
                self._cut(next(iter(oldest)), "crowded")
        self.move(connection, self.waiting)

    def _dispensable(self) -> tuple[Place, Place, Place]:
        """Where to look for somebody who may go: who has come just now is about to send, and is no idler."""
        since = next(iter(self.waiting.values()), self._clock())
        if self._clock() - since < self.limits.prompt:
            return (self.leaving, self.idle, self.waiting)
        return (self.leaving, self.waiting, self.idle)

    def hold(self, connection: Member, unread: int) -> None:
        """Count the part of a body that has come; over the bound the oldest such part goes."""
        self.unread += unread - connection.unread
        connection.unread = unread
        while self.unread > self.limits.unread:
            self._cut(next(each for each in self.waiting if each.unread), "too much unread")

    def sweep(self) -> None:
        """Cut whoever has had its time."""
        now = self._clock()
        for place, patience in ((self.waiting, self.limits.within), (self.leaving, self.limits.linger)):
            while place and now - next(iter(place.values())) >= patience:
                self._cut(next(iter(place)), "slow" if place is self.waiting else "")
        while self.idle and now - next(iter(self.idle.values())) >= self.limits.idle:
            next(iter(self.idle)).retire()
        if self._told:
            log.warning("connections_cut", **self._told)
            self._told.clear()

    def note(self, reason: str) -> None:
        """Count what the next sweep is to tell: a line for each would let anybody fill the log."""
        self._told[reason.replace(" ", "_")] += 1

    def _cut(self, connection: Member, reason: str) -> None:
        if reason:
            self.note(reason)
        connection.cut()
