"""How the plugins of the living router do, kept where commands and console find it, and the next router."""

from __future__ import annotations

import json
from typing import Any

import structlog

from relay.clock import Clock
from relay.routing.blackbox import BlackBox
from relay.routing.parking import Parking
from relay.store.protocol import Store

log = structlog.get_logger("relay.standing")

KEEP = (
    1_000  # ms between two times that it is written down: a plugin that fails must not double what is written
)
RUNNING = "plugins_running"  #: where the store keeps which versions run
BLOCKED = "plugin_blocked_milliseconds_total"
DEATHS = "plugin_deaths_total"


class Standing:
    """One per router; the figures are counters of the store."""

    def __init__(self, store: Store, clock: Clock, box: BlackBox) -> None:
        self.parking = Parking(clock)
        self._store = store
        self._clock = clock
        self._box = box
        self._next = 0
        self._running: dict[str, dict[str, Any]] = {}
        self._told = ""

    async def begin(self) -> None:
        """Take up what an earlier router knew, and name what it died in."""
        ran = [what for _, what in self._box.ending.ran if "." in what]
        await self.parking.begin(self._store, ran)
        for what in ran:
            plugin, _, handler = what.rpartition(".")
            log.error("router_died_in_handler", plugin=plugin, handler=handler)
            await self._store.count(f"{DEATHS}:{what}", 1)

    def runs(self, plugin: str, version: str) -> None:
        """This version runs from now on."""
        at = self._clock.now()
        self._running[plugin] = {"version": version, "since": at, "refused": None, "left": []}

    def refused(self, plugin: str, error: str, file: str | None, line: int | None) -> None:
        """A newer version passed its check, and did not load or start here."""
        told = {"message": error, "file": file, "line": line}
        self._running.setdefault(plugin, {"version": None, "since": None, "left": []})["refused"] = told

    def accepted(self, plugin: str) -> None:
        """What was refused is gone: the version that runs is the newest again."""
        self._running.get(plugin, {})["refused"] = None

    def left(self, plugin: str, what: list[str]) -> None:
        """An earlier version left this going on."""
        if plugin in self._running:
            self._running[plugin]["left"] = what

    def gone(self, plugin: str) -> None:
        """It runs no more."""
        self._running.pop(plugin, None)

    def due(self) -> bool:
        """Whether it is time to write down what has changed."""
        now = self._clock.steady()
        if now < self._next:
            return False
        self._next = now + KEEP
        return True

    async def keep(self) -> None:
        """Write down what has changed since the last time, if anything has."""
        await self.parking.keep(self._store)
        for what, milliseconds in self._box.blocking.taken().items():
            await self._store.count(f"{BLOCKED}:{what}", milliseconds)
        told = json.dumps(self._running)
        if told != self._told:
            await self._store.set_meta(RUNNING, told)
            self._told = told
