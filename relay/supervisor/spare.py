"""A process that has loaded what roles need, so that a death is mended at once: see `relay/standby.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog

from relay.supervisor.child import START_LIMIT, Child

log = structlog.get_logger("relay.supervisor")

PAUSE = 1.0  # seconds after it was used: who took its place goes first
RETRY = 5.0  # seconds after one that died


class Spare:
    """One at a time; it has no configuration, no database and no plugin."""

    def __init__(self, lifeline: int, first: Mapping[str, Child]) -> None:
        """The first children, by role, began to load what these need while the files were checked."""
        self._lifeline = lifeline
        self._first = dict(first)
        self._child: Child | None = None
        self._old: list[Child] = []
        self._start_at = time.monotonic()

    def children(self) -> list[Child]:
        """The processes that have no role."""
        return [*self._old, *self._first.values(), *([self._child] if self._child else [])]

    def take(self, now: float, role: str) -> Child | None:
        """The spare, if it has loaded everything; at the start, whoever loads this role already."""
        first = self._first.pop(role, None)
        if first is not None:
            return None if first.ended() else first
        child = self._child
        if child is None or not child.loaded or child.ended():
            return None
        self._child = None
        self._start_at = now + PAUSE
        return child

    def renew(self) -> None:
        """What it has loaded may have changed on disk."""
        for child in [*self._first.values(), *([self._child] if self._child else [])]:
            child.kill()
            self._old.append(child)
        self._first.clear()
        self._child = None

    def tend(self, now: float, *, calm: bool) -> None:
        """Have one, as soon as nothing more urgent is on its way."""
        self._old = [child for child in self._old if not child.ended()]
        if self._child is not None:
            self._see(self._child, now)
        elif now >= self._start_at and (calm or now >= self._start_at + RETRY):
            self._child = Child(self._lifeline)

    def _see(self, child: Child, now: float) -> None:
        if child.ended():
            log.warning("spare_died", code=child.code)
            self._child = None
            self._start_at = now + RETRY
        elif not child.loaded and now > child.started + START_LIMIT:
            self.renew()
