"""A new version of a plugin is loaded beside the old, started, put in its place; the old is disposed of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from relay.errors import ConfigurationError, PluginError
from relay.routing import loader
from relay.routing.loader import Loaded
from relay.routing.pipeline import Pipeline
from relay.routing.roster import Roster
from relay.routing.standing import Standing

log = structlog.get_logger("relay.swap")

LOAD_LIMIT = 20.0  # seconds that a plugin has to load
LINGER = 5.0  # seconds between two looks whether what refused to end has ended


@dataclass(frozen=True, slots=True)
class Offer:
    """A plugin as its files and settings are now; nothing of it has run."""

    name: str
    version: str
    load: Callable[[], Loaded]  #: raises `PluginError` or `ConfigurationError`


class Life(Protocol):
    """What plugins do when they begin and end."""

    def hold(self, versions: Mapping[str, str]) -> set[str]:
        """Which of these wait, parked, for their start; what else waited does so no more."""

    async def start(self, loaded: Loaded) -> None:
        """Run what it does on start; raises `PluginError`."""

    async def stop(self, loaded: Loaded) -> None:
        """Run what it does on stop, and take it off everything that it is called for; raises nothing."""


class NoLife:
    """Of plugins that do nothing when they begin and end."""

    def hold(self, versions: Mapping[str, str]) -> set[str]:
        """None."""
        return set()

    async def start(self, loaded: Loaded) -> None:
        """Nothing."""

    async def stop(self, loaded: Loaded) -> None:
        """Nothing."""


class Swap:
    """One at a time. Whatever does not load or start changes nothing: the old version never stopped."""

    def __init__(
        self, pipeline: Pipeline, life: Life | None = None, standing: Standing | None = None
    ) -> None:
        self._pipeline = pipeline
        self._life = life or NoLife()
        self._standing = standing
        self._refused: dict[str, str] = {}  #: versions that did not load or start
        self._before: list[Roster] = []
        self._disposing: set[asyncio.Task[None]] = set()
        self._lingering: set[asyncio.Task[None]] = set()

    async def take(self, offers: Sequence[Offer]) -> None:
        """Let these plugins run from now on, in this order; what has changed is loaded anew.

        Where that raises, as `StorageError` does, nothing has changed, and nothing that was started goes on.
        """
        async with self._pipeline.changing:
            running = {each.name: each for each in self._pipeline.plugins}
            waiting = self._life.hold({each.name: each.version for each in offers})
            plugins = await self._all_taken([each for each in offers if each.name not in waiting], running)
            if plugins == list(self._pipeline.plugins):
                return
            self._before.append(self._pipeline.swap(plugins))
            for each in plugins:
                if each is not running.get(each.name):
                    self._tell_swapped(each)
            gone = [each for each in running.values() if not any(each is one for one in plugins)]
            self._dispose_later(gone, tuple(self._before), {each.name for each in plugins})

    async def _all_taken(self, offers: Sequence[Offer], running: Mapping[str, Loaded]) -> list[Loaded]:
        """Those that are to run; whatever is raised on the way, what was started until then is ended."""
        plugins: list[Loaded] = []
        try:
            for offer in offers:
                loaded = await self._taken(offer, running.get(offer.name))
                if loaded is not None:
                    plugins.append(loaded)
        except BaseException:
            for loaded in plugins:
                if loaded is not running.get(loaded.name):
                    await self._life.stop(loaded)
                    await self._end(loaded)
            raise
        return plugins

    async def _taken(self, offer: Offer, running: Loaded | None) -> Loaded | None:
        """The version that is to run: the new one, if it can."""
        if running is not None and running.version == offer.version:
            if self._refused.pop(offer.name, None) is not None and self._standing is not None:
                self._standing.accepted(offer.name)
            return running
        if self._refused.get(offer.name) == offer.version:
            return running
        try:
            loaded = await self._started(offer)
        except (PluginError, ConfigurationError) as exc:
            self._tell_refused(offer, exc, runs_on=running is not None)
            self._refused[offer.name] = offer.version
            return running
        self._refused.pop(offer.name, None)
        return loaded

    async def _started(self, offer: Offer) -> Loaded:
        loaded = await _in_thread(offer.load)
        try:
            await self._life.start(loaded)
        except BaseException:
            await self._end(loaded)
            raise
        return loaded

    def _tell_swapped(self, loaded: Loaded) -> None:
        log.info("plugin_swapped", plugin=loaded.name, version=loaded.version)
        if self._standing is not None:
            self._standing.parking.forget(loaded.name)
            self._standing.runs(loaded)

    def _tell_refused(self, offer: Offer, exc: PluginError | ConfigurationError, *, runs_on: bool) -> None:
        if isinstance(exc, PluginError):
            error, file, line = exc.message, exc.file, exc.line
        else:
            error, file, line = "; ".join(map(str, exc.problems)), None, None
        log.error("plugin_refused", plugin=offer.name, error=error, file=file, line=line, runs_on=runs_on)
        if self._standing is not None:
            self._standing.refused(offer.name, error, file, line)

    # -- the end of the old ----------------------------------------------------

    def _dispose_later(self, gone: Sequence[Loaded], before: Sequence[Roster], names: set[str]) -> None:
        task = asyncio.create_task(self._dispose(gone, before, names))
        self._disposing.add(task)
        task.add_done_callback(self._disposing.discard)

    async def _dispose(self, gone: Sequence[Loaded], before: Sequence[Roster], names: set[str]) -> None:
        """End these once no message in hand goes through them any more."""
        for roster in before:
            await roster.left()
        self._before = [each for each in self._before if each not in before]
        for loaded in gone:
            await self._life.stop(loaded)
            await self._end(loaded)
            if loaded.name not in names:
                log.info("plugin_removed", plugin=loaded.name)
                if self._standing is not None:
                    self._standing.gone(loaded.name)

    async def _end(self, loaded: Loaded) -> None:
        left = await self._pipeline.calls.end(loaded.plugin)
        if not left:
            loader.unload(loaded.plugin)
            return
        log.error("plugin_goes_on", plugin=loaded.name, version=loaded.version, left=left)
        task = asyncio.create_task(self._linger(loaded))
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    async def _linger(self, loaded: Loaded) -> None:
        """Tell what an earlier version goes on with, as long as it does."""
        while left := self._pipeline.calls.belongings.left(loaded.plugin):
            if self._standing is not None:
                self._standing.left(loaded.name, left)
            await asyncio.sleep(LINGER)
        if self._standing is not None:
            self._standing.left(loaded.name, [])
        loader.unload(loaded.plugin)

    async def disposed(self) -> None:
        """Return once nothing that was replaced is on its way out."""
        while self._disposing:
            await asyncio.wait(self._disposing)


async def _in_thread(load: Callable[[], Loaded]) -> Loaded:
    """Load in a thread of its own, so that messages go on meanwhile; raises what it raises."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Loaded] = loop.create_future()

    def settle(result: Loaded | None, error: BaseException | None) -> None:
        if ended.done():  # nobody waits any more
            if result is not None:
                loader.unload(result.plugin)
            return
        if result is not None:
            ended.set_result(result)
        else:
            ended.set_exception(error or PluginError("did not load"))

    def work() -> None:
        try:
            result, error = load(), None
        except BaseException as exc:  # noqa: BLE001 - handed to whoever waits
            result, error = None, exc
        loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="relay-load", daemon=True).start()
    try:
        async with asyncio.timeout(LOAD_LIMIT):
            return await ended
    except TimeoutError as exc:
        raise PluginError(f"does not finish loading within {LOAD_LIMIT:g} s") from exc
