"""Who kept the loop from everybody else, and for how long: by plugin and handler."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

log = structlog.get_logger("relay.blocking")

LONG = 0.1  # seconds: what is shorter keeps nobody
WORTH_A_LINE = 0.25  # seconds, of one step, that the log tells
PAUSE = 60.0  # seconds between two such lines about one handler


@dataclass(frozen=True, slots=True)
class _Run:
    what: str
    begun: float
    ended: float


class Blocking:
    """Adds up; a step of a coroutine blocks by itself, a thread where it lets nobody have the interpreter."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}  #: since they were last taken, by `plugin.handler`
        self._accounted: deque[_Run] = deque(maxlen=64)
        self._threads: deque[_Run] = deque(maxlen=64)
        self._running: dict[object, tuple[str, float]] = {}  #: in threads
        self._silent_until: dict[str, float] = {}

    def step(self, what: bytes, begun: float, ended: float) -> None:
        """A step on the loop took so long; of the pipeline's own nobody is told."""
        if what and ended - begun > LONG:
            self._accounted.append(_Run(what.decode("utf-8", "replace"), begun, ended))
            self._blame(what.decode("utf-8", "replace"), ended - begun)

    @contextmanager
    def thread(self, what: str) -> Iterator[None]:
        """A plain function runs in this thread."""
        me, begun = object(), time.monotonic()
        self._running[me] = (what, begun)
        try:
            yield
        finally:
            del self._running[me]
            ended = time.monotonic()
            if ended - begun > LONG:
                self._threads.append(_Run(what, begun, ended))

    def late(self, due: float, now: float) -> None:
        """The loop came so late to something: whatever steps do not account for, a thread does."""
        if now - due <= LONG or any(each.ended > due and each.begun < now for each in self._accounted):
            return
        runs = [*self._threads, *(_Run(what, begun, now) for what, begun in list(self._running.values()))]
        within = [(min(each.ended, now) - max(each.begun, due), each.what) for each in runs]
        longest = max(within, default=(0.0, ""))
        if longest[0] > (now - due) / 2:
            self._blame(longest[1], now - due)

    def _blame(self, what: str, seconds: float) -> None:
        self._seconds[what] = self._seconds.get(what, 0.0) + seconds
        now = time.monotonic()
        if seconds >= WORTH_A_LINE and now >= self._silent_until.get(what, 0.0):
            self._silent_until[what] = now + PAUSE
            plugin, _, handler = what.rpartition(".")
            log.warning("handler_blocked", plugin=plugin, handler=handler, ms=round(seconds * 1000))

    def taken(self) -> dict[str, int]:
        """The milliseconds since this was last asked."""
        told = {what: round(seconds * 1000) for what, seconds in self._seconds.items()}
        self._seconds.clear()
        return told
