"""How the plugins of the living router do, kept where commands and console find it, and the next router."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import structlog

from relay.authoring.plugin import Plugin
from relay.clock import Clock
from relay.routing.blackbox import BlackBox
from relay.routing.loader import Loaded
from relay.routing.parking import DIED, Failure, Parking
from relay.store.protocol import Store

log = structlog.get_logger("relay.standing")

KEEP = (
    1_000  # ms between two times that it is written down: a plugin that fails must not double what is written
)
RUNNING = "plugins_running"  #: where the store keeps which versions run
BLOCKED = "plugin_blocked_milliseconds_total"
DEATHS = "plugin_deaths_total"

Running = Mapping[str, Mapping[str, Any]]
"""Of each plugin that runs: version, since when, what was refused, what an earlier version left."""


class Standing:
    """One per router; the figures are counters of the store."""

    def __init__(self, store: Store, clock: Clock, box: BlackBox) -> None:
        self.parking = Parking(clock)
        self._store = store
        self._clock = clock
        self._box = box
        self._next = 0
        self._running: dict[str, dict[str, Any]] = {}
        self._plugins: dict[str, Plugin] = {}
        self._noted: set[str] = set()  #: `plugin.handler` of those that held up others or ended a router
        self._uncounted: list[str] | None = (
            None  #: deaths, until the store has them; None: before anybody looked
        )
        self._told = ""

    async def begin(self) -> None:
        """Take up what an earlier router knew, and name what it died in; if it raises, it is called again."""
        if self._uncounted is None:
            self._uncounted = await self._named()
        await self._tell()  # before any of them starts: who ends the router in that is known by its version
        while self._uncounted:
            await self._store.count(f"{DEATHS}:{self._uncounted[0]}", 1)
            self._uncounted.pop(0)

    async def _named(self) -> list[str]:
        """The handlers that an earlier router died in, now that parking knows of them."""
        ran = [what for _, what in self._box.ending.ran if "." in what]
        self._note(*ran, *noted(await self._store.counters()))
        deaths = []
        for what in ran:
            plugin, _, handler = what.rpartition(".")
            file, line = self._place(plugin, handler)
            log.error("router_died_in_handler", plugin=plugin, handler=handler, file=file, line=line)
            deaths.append((plugin, Failure(DIED.format(handler=handler), file, line)))
        earlier = running_in(await self._store.meta(RUNNING))
        await self.parking.begin(self._store, deaths, self._mended(earlier))
        return ran

    def _mended(self, earlier: Running) -> set[str]:
        """Those that are another version now than in the last router."""
        before = {name: row.get("version") for name, row in earlier.items()}
        return {
            name for name, row in self._running.items() if before.get(name) and before[name] != row["version"]
        }

    def runs(self, loaded: Loaded) -> None:
        """This version runs from now on."""
        self._plugins[loaded.name] = loaded.plugin
        at = self._clock.now()
        told = {"version": loaded.version, "since": at, "refused": None, "left": [], "places": {}}
        self._running[loaded.name] = told
        self._note(*self._noted)

    def _note(self, *noted: str) -> None:
        """Find out where these are defined, for whoever is told of them."""
        self._noted.update(noted)
        for what in noted:
            plugin, _, handler = what.rpartition(".")
            if plugin in self._running and plugin in self._plugins:
                self._running[plugin]["places"][handler] = self._place(plugin, handler)

    def _place(self, plugin: str, handler: str) -> tuple[str | None, int | None]:
        known = self._plugins.get(plugin)
        return (None, None) if known is None else known.place_of(handler)

    def refused(self, plugin: str, error: str, file: str | None, line: int | None) -> None:
        """A newer version passed its check, and did not load or start here."""
        told = {"message": error, "file": file, "line": line}
        nothing: dict[str, Any] = {"version": None, "since": None, "left": [], "places": {}}
        self._running.setdefault(plugin, nothing)["refused"] = told

    def accepted(self, plugin: str) -> None:
        """What was refused is gone: the version that runs is the newest again."""
        self._running.get(plugin, {})["refused"] = None

    def left(self, plugin: str, what: list[str]) -> None:
        """An earlier version left this going on."""
        if plugin in self._running:
            self._running[plugin]["left"] = what

    def gone(self, plugin: str) -> None:
        """It runs no more."""
        self._plugins.pop(plugin, None)
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
            self._note(what)
            await self._store.count(f"{BLOCKED}:{what}", milliseconds)
        await self._tell()

    async def _tell(self) -> None:
        told = json.dumps(self._running)
        if told != self._told:
            await self._store.set_meta(RUNNING, told)
            self._told = told


def running_in(told: str | None) -> Running:
    """What a router told of its plugins; nothing of what is not of this version's making."""
    with contextlib.suppress(ValueError, AttributeError):
        rows = json.loads(told or "{}")
        return {str(name): row for name, row in rows.items() if isinstance(row, dict)}
    return {}


def noted(counters: Iterable[str]) -> Iterator[str]:
    """The handlers, `plugin.handler`, that these counters are about."""
    for counter in counters:
        family, _, what = counter.partition(":")
        if family in {BLOCKED, DEATHS}:
            yield what
