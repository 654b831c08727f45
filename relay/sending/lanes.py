"""One lane per account: how fast it may send, and what holds it up."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from relay.store.values import Pause

WINDOW = 60_000  # ms: the platform counts per minute
PAUSE_STEPS = (5_000, 15_000, 30_000, 60_000)  # ms: a throttled account waits longer each time
HALT_STEP = 30_000  # ms between looks whether the platform takes us again
LONGEST_PAUSE = 300_000  # ms; one that seems longer is the work of a clock that was put back
EASED = (1, 2, 4, 8)  # requests at a time with which an account comes back, one step with each that is taken
EVERYBODY = ""  # the account of a pause that holds up all
OUTAGE = "outage: "  # how the reason of such a pause begins where the platform is not there
LINGERS = 60_000  # ms by which what ends such a pause may be late: a probe, or a request that tries


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one account may send: messages a minute, and milliseconds between two requests."""

    per_minute: int
    min_interval: int
    jitter: float


def in_force(pause: Pause, now: int) -> bool:
    """Whether it still holds, as far as is known: what holds up all lasts until something was answered."""
    return now < pause.until + (LINGERS if pause.account == EVERYBODY else 0)


class Lane:
    """What one account has used up of its pace."""

    def __init__(self, pace: Pace, chance: Callable[[], float]) -> None:
        self._pace = pace
        self._chance = chance
        self._starts: deque[int] = deque()
        self._next_at = 0
        wait = pace.min_interval or (WINDOW // pace.per_minute if pace.jitter else 0)
        self._longest_wait = round(wait * (1 + pace.jitter))

    def room(self, now: int) -> int:
        """How many messages may go out now."""
        self._heed_the_clock(now)
        if now < self._next_at:
            return 0
        while self._starts and self._starts[0] <= now - WINDOW:
            self._starts.popleft()
        return self._pace.per_minute - len(self._starts)

    def _heed_the_clock(self, now: int) -> None:
        """A clock that was put back makes nobody wait for longer than it would have been anyway."""
        if self._starts and self._starts[-1] > now:
            self._starts = deque(min(start, now) for start in self._starts)
        self._next_at = min(self._next_at, now + self._longest_wait)

    def opens_at(self) -> int:
        """When there is room again, if there is none now."""
        full = len(self._starts) >= self._pace.per_minute
        return max(self._next_at, self._starts[0] + WINDOW if full else 0)

    def use(self, messages: int, now: int) -> None:
        """Take note of a request with so many messages."""
        self._starts.extend([now] * messages)
        wait: float = self._pace.min_interval
        if self._pace.jitter:
            # Without a min_interval there is still a wait to vary: the pace's own.
            wait = (wait or WINDOW // self._pace.per_minute) * (1 + self._pace.jitter * self._chance())
        self._next_at = now + round(wait)

    def remember(self, start: int) -> None:
        """Count a message that an earlier process sent."""
        self._starts.append(start)
        self._next_at = max(self._next_at, start + self._pace.min_interval)

    def shift(self, by: int) -> None:
        """Go on as before though the clock was set."""
        self._starts = deque(start + by for start in self._starts)
        self._next_at += by


class Lanes:
    """Every account's lane, and every pause."""

    def __init__(self, pace: Pace, *, chance: Callable[[], float] = random.random) -> None:
        self._pace = pace
        self._chance = chance
        self._lanes: dict[str, Lane] = {}
        self._pauses: dict[str, Pause] = {}
        self._eased: dict[str, int] = {}  #: by account, how many were taken since its pause
        self._closed = False

    def restore(self, starts: Iterable[tuple[str, int]], pauses: Iterable[Pause]) -> None:
        """Go on where an earlier process was: a restart is no way around the pace."""
        for account, start in starts:
            self._lane(account).remember(start)
        self._pauses = {pause.account: pause for pause in pauses}
        self._eased = dict.fromkeys(self._pauses, 0)

    def shift(self, by: int) -> None:
        """The clock was set: that lets nobody send faster, and holds up nobody for longer."""
        for lane in self._lanes.values():
            lane.shift(by)
        self._pauses = {each: replace(pause, until=pause.until + by) for each, pause in self._pauses.items()}

    @property
    def spaced(self) -> bool:
        """Whether an account's requests keep a distance, so that only one may begin at a time."""
        return bool(self._pace.min_interval or self._pace.jitter)

    def room(self, account: str, now: int) -> int:
        """How many messages the account may send now."""
        if self._closed or any(now < pause.until <= now + LONGEST_PAUSE for pause in self._held_by(account)):
            return 0
        return self._lane(account).room(now)

    def opens_at(self, account: str) -> int:
        """When the account may send again, if it may not now."""
        return max([self._lane(account).opens_at(), *(pause.until for pause in self._held_by(account))])

    def use(self, account: str, messages: int, now: int) -> None:
        """Take note of a request with so many messages."""
        self._lane(account).use(messages, now)

    def share(self, account: str, most: int) -> int:
        """How many requests of the account may be on their way: after a pause one, then more in steps."""
        taken = min((self._eased[each] for each in (account, EVERYBODY) if each in self._eased), default=None)
        return most if taken is None else min(most, EASED[min(taken, len(EASED) - 1)])

    def throttled(self, account: str, reason: str, now: int, asked: int | None = None) -> Pause:
        """The pause that a refusal for the rate asks for, `asked` in so many words; else each is longer."""
        earlier = self._pauses.get(account)
        if earlier is not None and earlier.until > now:
            return earlier  # requests that were under way together are one refusal
        step = earlier.step + 1 if earlier else 1
        until = now + (asked or PAUSE_STEPS[min(step, len(PAUSE_STEPS)) - 1])
        return self._pause(Pause(account, until, step, reason))

    def halted(self, reason: str, now: int) -> Pause:
        """The pause for all that a refusal of who we are asks for."""
        return self._pause(Pause(EVERYBODY, now + HALT_STEP, 1, reason))

    def close_all(self, reason: str, until: int, step: int) -> Pause:
        """Let nobody send before `open_all`; `until` is when that may be."""
        self._closed = True
        return self._pause(Pause(EVERYBODY, until, step, reason))

    def open_all(self) -> list[Pause]:
        """Let everybody send again, in steps."""
        self._closed = False
        self._pauses.pop(EVERYBODY, None)
        return [Pause(EVERYBODY, 0, 0, "")]

    def succeeded(self, account: str, now: int) -> list[Pause]:
        """The pauses that an accepted request ends: those it waited for, not one that began meanwhile."""
        self._ease(account)
        past = [pause for pause in self._held_by(account) if pause.until <= now]
        over = [self._pauses.pop(pause.account) for pause in past]
        return [Pause(pause.account, 0, 0, "") for pause in over]

    def _held_by(self, account: str) -> list[Pause]:
        found = (self._pauses.get(account), self._pauses.get(EVERYBODY))
        return [pause for pause in found if pause is not None]

    def _ease(self, account: str) -> None:
        for each in (account, EVERYBODY):
            if each in self._eased:
                self._eased[each] += 1
                if self._eased[each] >= len(EASED):
                    del self._eased[each]

    def _pause(self, pause: Pause) -> Pause:
        self._pauses[pause.account] = pause
        self._eased[pause.account] = 0
        return pause

    def _lane(self, account: str) -> Lane:
        lane = self._lanes.get(account)
        if lane is None:
            lane = self._lanes[account] = Lane(self._pace, self._chance)
        return lane
