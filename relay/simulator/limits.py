"""Rate limits, as sliding windows on the simulator's clock (platform API §2)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from relay.clock import Clock
from relay.simulator.answers import Refusal


@dataclass(frozen=True, slots=True)
class Rate:
    """So many within any stretch of so many milliseconds."""

    count: int
    window: int
    what: str


MESSAGES = Rate(500, 60_000, "messages a minute")
COMMANDS = Rate(3600, 3_600_000, "commands an hour")
QUERIES = Rate(500, 60_000, "queries a minute")


class Window:
    """What one counter has seen of late."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._seen: deque[tuple[int, int]] = deque()
        self._sum = 0

    def take(self, now: int, cost: int) -> None:
        """Count `cost` more, or raise 407 and count nothing."""
        while self._seen and self._seen[0][0] <= now - self._rate.window:
            self._sum -= self._seen.popleft()[1]
        if self._sum + cost > self._rate.count:
            raise Refusal(407, f"over the limit of {self._rate.count} {self._rate.what}")
        self._seen.append((now, cost))
        self._sum += cost


class Limits:
    """All the counters: messages and commands per account, everything else for the API user."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[Rate, str], Window] = {}

    def take(self, rate: Rate, owner: str = "", cost: int = 1) -> None:
        """Count `cost` more for `owner`; raises a Refusal (407) once that is too much."""
        window = self._windows.setdefault((rate, owner), Window(rate))
        window.take(self._clock.now(), cost)
