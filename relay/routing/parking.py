"""A plugin that fails again and again is left alone for a while, and longer each time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from relay.clock import Clock
from relay.store.protocol import Store
from relay.store.sqlite.queries import rfc3339

log = structlog.get_logger("relay.parking")

MOST_FAILURES = 5  # in a row: errors, time-outs, deaths
WAITS = (10_000, 30_000, 60_000, 300_000, 900_000)  # ms for which it is parked, the last one for ever
PROBE = 30_000  # ms after which a call that was to try it again, and told of no end, is taken for lost
DIED = "the router died in {handler}"
KEY = "plugins_parked"  # where the store keeps it


@dataclass(slots=True)
class Failing:
    """A plugin that failed `failures` times in a row, last for this `reason`; parked `until`, if it is."""

    failures: int = 0
    reason: str = ""
    file: str | None = None
    line: int | None = None
    until: int = 0
    parked: int = 0  #: how often, without a success between
    at: int = 0  #: when it failed last


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed: words for people, without any of a message's, and where."""

    reason: str
    file: str | None = None
    line: int | None = None


class Parking:
    """Of all plugins; what it knows outlives the process, or who ends that would never be parked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failing: dict[str, Failing] = {}
        self._probed: dict[str, int] = {}  #: since when a call tries those whose time is over
        self._told = ""

    def refusal(self, plugin: str) -> str | None:
        """Why it is not to be called now, or None; of those that ask after its time, one may try it."""
        failing = self._failing.get(plugin)
        if failing is None or not failing.until:
            return None
        now = self._clock.now()
        if failing.until - WAITS[-1] <= now < failing.until:  # later, and the clock was put back
            until = rfc3339(failing.until)
            return f"{failing.failures} failures in a row; parked until {until}; {failing.reason}"
        if now - PROBE <= self._probed.get(plugin, 0) <= now:
            return f"{failing.failures} failures in a row; it is being tried again; {failing.reason}"
        self._probed[plugin] = now
        return None

    def parked(self, plugin: str, handler: str) -> bool:
        """Whether its time is not over, and the router last died in this handler; asking does not try it."""
        failing, now = self._failing.get(plugin), self._clock.now()
        guilty = failing is not None and failing.reason == DIED.format(handler=handler)
        return guilty and failing is not None and failing.until - WAITS[-1] <= now < failing.until

    def succeeded(self, plugin: str) -> None:
        """One success ends it."""
        failing = self._failing.pop(plugin, None)
        self._probed.pop(plugin, None)
        if failing is not None and failing.until:
            log.info("plugin_unparked", plugin=plugin)

    forget = succeeded
    """Another version is another plugin."""

    def failed(self, plugin: str, failure: Failure) -> None:
        """Count it; from the fifth in a row on the plugin is parked."""
        now = self._clock.now()
        failing = self._failing.setdefault(plugin, Failing())
        if now < failing.until:  # it began before the plugin was parked
            return
        failing.failures += 1
        failing.at = now
        failing.reason, failing.file, failing.line = failure.reason, failure.file, failure.line
        self._probed.pop(plugin, None)
        if failing.failures >= MOST_FAILURES:
            failing.until = now + WAITS[min(failing.parked, len(WAITS) - 1)]
            failing.parked += 1
            until = rfc3339(failing.until)
            where = {"file": failing.file, "line": failing.line}
            log.error(
                "plugin_parked",
                plugin=plugin,
                until=until,
                failures=failing.failures,
                reason=failing.reason,
                **where,
            )

    # -- what outlives the process ---------------------------------------------

    async def begin(
        self, store: Store, deaths: Iterable[tuple[str, Failure]], mended: Iterable[str] = ()
    ) -> None:
        """Take up what an earlier router knew, and in which plugins it died.

        Those that are `mended` since are another version, which has not failed.
        """
        self._told = await store.meta(KEY) or ""
        self._failing = read(self._told)
        gone = set(mended)
        for plugin, failure in deaths:
            if plugin not in gone:
                self.failed(plugin, failure)
        for plugin in gone:
            self.forget(plugin)
        await self.keep(store)

    async def keep(self, store: Store) -> None:
        """Write down what has changed since it was last written."""
        told = json.dumps({name: asdict(each) for name, each in self._failing.items()})
        if told != self._told:
            await store.set_meta(KEY, told)
            self._told = told


def read(told: str | None) -> dict[str, Failing]:
    """What was kept; nothing of what is not of this version's making."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        rows: Mapping[str, Mapping[str, Any]] = json.loads(told or "{}")
        return {str(name): Failing(**row) for name, row in rows.items()}
    return {}
