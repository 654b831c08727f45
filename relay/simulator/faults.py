"""The faults that stand: who is struck is decided here, by scope, count and dice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from relay.clock import Clock
from relay.simulator.fault import Fault, Happening, Kind, Point
from relay.simulator.holds import Holds
from relay.simulator.ledger import Ledger

MOST_FAULTS = 200


class FaultError(ValueError):
    """There is no fault with this number, or no room for another."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A fault in force; `until` is in milliseconds, for those that end by themselves."""

    number: int
    fault: Fault
    struck: int = 0
    until: int | None = None

    def is_over(self, now: int) -> bool:
        """Say whether it will never strike again."""
        used_up = self.fault.times is not None and self.struck >= self.fault.times
        return used_up or (self.until is not None and now >= self.until)


Watcher = Callable[[str, Standing | None], None]


class Faults:
    """The book of faults, in the order in which they were added; each has dice of its own."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.holds = Holds(clock)
        self._ledger = ledger
        self._clock = clock
        self._standing: dict[int, Standing] = {}
        self._dice: dict[int, Random] = {}
        self._watchers: list[Watcher] = []
        self._added = 0

    def add(self, fault: Fault) -> Standing:
        """Let this go wrong from now on; FaultError where too many stand already."""
        if len(self.standing()) >= MOST_FAULTS:
            raise FaultError(f"there are {MOST_FAULTS} faults already")
        self._added += 1
        until = None
        if fault.kind is Kind.RATE_LIMIT:
            fault, until = replace(fault, times=None), self._clock.now() + round(fault.seconds * 1000)
        standing = Standing(self._added, fault, until=until)
        self._standing[standing.number] = standing
        self._dice[standing.number] = Random(f"{fault.seed}:{standing.number}")  # noqa: S311 - no secret
        self._tell("add", standing)
        return standing

    def remove(self, number: int) -> None:
        """End a fault and let go of what waits by it; FaultError if there is none."""
        standing = self._standing.get(number)
        if standing is None and number not in self.holds.numbers():
            raise FaultError(f"there is no fault {number}")
        self._forget(number)
        self.holds.release(number)
        self._tell("remove", standing)

    def clear(self) -> None:
        """End all faults and let go of everything that waits."""
        for number in list(self._standing):
            self._forget(number)
        self.holds.release()
        self._tell("clear", None)

    def release(self, number: int | None = None) -> None:
        """Let go of what hangs or waits by a fault, or by any; the faults stay."""
        self.holds.release(number)
        self._ledger.touch()

    def standing(self) -> list[Standing]:
        """Give the faults that may still strike."""
        now = self._clock.now()
        for standing in list(self._standing.values()):
            if standing.is_over(now):
                self._forget(standing.number)
        return list(self._standing.values())

    def strike(self, point: Point, what: Happening) -> list[Standing]:
        """Decide what goes wrong here; it is counted, and on record."""
        if not self._standing:
            return []
        struck: list[Standing] = []
        for standing in self.standing():
            if standing.fault.fits(point, what) and self._falls(standing):
                struck.append(self._use(standing, what))
                if not standing.fault.adds_up:
                    break
        return struck

    def close(self) -> None:
        """Let go of everything that waits, for good."""
        self.holds.close()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with `add`, `remove` or `clear`, until the function that comes back is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _falls(self, standing: Standing) -> bool:
        chance = standing.fault.probability
        return chance == 1 or self._dice[standing.number].random() < chance

    def _use(self, standing: Standing, what: Happening) -> Standing:
        used = replace(standing, struck=standing.struck + 1)
        self._standing[used.number] = used
        self._ledger.add_strike(
            used.number,
            used.fault.kind,
            self._clock.now(),
            what.account,
            what.targets,
            what.request,
            what.push,
        )
        return used

    def _forget(self, number: int) -> None:
        self._standing.pop(number, None)
        self._dice.pop(number, None)

    def _tell(self, what: str, standing: Standing | None) -> None:
        for watcher in list(self._watchers):
            watcher(what, standing)
        self._ledger.touch()
