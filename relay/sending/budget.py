"""How often a minute something may be asked of the platform."""

from __future__ import annotations

from collections import deque

WINDOW = 60_000  # ms: the platform counts per minute


class Budget:
    """Calls within any minute, by a steady clock; what is used beyond it is paid back before the next."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._calls: deque[int] = deque()

    def allows(self, now: int) -> bool:
        """Whether there is a call left."""
        while self._calls and self._calls[0] <= now - WINDOW:
            self._calls.popleft()
        return len(self._calls) < self._per_minute

    def use(self, now: int) -> None:
        """Take note of a call."""
        self._calls.append(now)
