"""A role, the process that has it now, and those before it that are not gone yet."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import structlog

from relay.serving.hatch import Hatch
from relay.supervisor.child import Child

log = structlog.get_logger("relay.supervisor")

STEADY = 10.0  # a role that lived so long starts again at once
DELAYS = (0.0, 0.0, 0.2, 1.0, 2.0, 5.0)  # seconds before a role that keeps dying starts again
HASTY = DELAYS[:3]  # whoever connects to a door waits for an answer: one second, from the platform
BRISK = DELAYS[:4]  # what kills the router is set aside after 3 tries, and all others wait for it meanwhile


class Post:
    """Filled as long as the supervisor lives; `start` finds a process for it, or none yet."""

    def __init__(
        self,
        role: str,
        door: socket.socket | None,
        start: Callable[[Post], Child | None],
        begin_at: float = 0.0,
    ) -> None:
        """`begin_at`: by the monotonic clock."""
        self.role = role
        self.door = door
        self.hatch = Hatch.made() if door else None
        self._start = start
        self._current: Child | None = None
        self._replaced: Child | None = None  #: goes on until its successor serves
        self._leaving: list[Child] = []
        self._deaths = 0
        self._start_at = begin_at

    def children(self) -> Iterator[Child]:
        """All processes that have, or had, this role and live."""
        yield from (child for child in (self._current, self._replaced) if child is not None)
        yield from self._leaving

    def shut(self) -> None:
        """Nobody comes after those who serve: what they hold, they are to end themselves."""
        if self.hatch is not None:
            self.hatch.shut()

    def tend(self, now: float) -> None:
        """Bury what has died, let go of who has a successor, and start what is due."""
        self._leaving = [child for child in self._leaving if not child.ended()]
        if self._replaced is not None and self._replaced.ended():
            self._replaced = None
            self._start_at = now
        if self._current is not None:
            self._see(self._current, now)
        if self._current is None and now >= self._start_at:
            self._current = self._start(self)

    def _see(self, current: Child, now: float) -> None:
        if current.ended():
            self._bury(current, now)
            return
        if current.serves and self._replaced is not None:  # for a moment both do
            self._replaced.leave()
            self._leaving.append(self._replaced)
            self._replaced = None
        if current.leaving and self.door is not None:  # somebody else told it to end
            self.replace()

    def _bury(self, child: Child, now: float) -> None:
        self._current = None
        if child.code == 0 and (child.serves or child.leaving):  # it was told to end
            return
        self._deaths = 0 if now - child.started > STEADY else self._deaths + 1
        delays = self._delays(child)
        delay = delays[min(self._deaths, len(delays) - 1)]
        self._start_at = now + delay
        log.warning("role_died", role=self.role, code=child.code, again_in=delay)

    def _delays(self, dead: Child) -> tuple[float, ...]:
        if self.door is not None:
            return HASTY
        return BRISK if self.role == "router" and dead.serves else DELAYS

    def replace(self) -> None:
        """A role with a door gets its successor first; the others let go before the next one takes over."""
        old = self._current
        if old is None:
            return
        if self.door is None:
            old.leave()  # `tend` sees it end, and starts the next
            return
        if self._replaced is not None:  # its own predecessor still serves
            old.leave()
            self._leaving.append(old)
        else:
            self._replaced = old
        self._current = None
        self._start_at = time.monotonic()
