"""What plugins do when they begin and when they end, each once, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import traceback
from collections.abc import Mapping, Sequence

import structlog

from relay.authoring.handlers import Handler
from relay.authoring.plugin import Plugin
from relay.clock import Clock
from relay.errors import PluginError, StorageError
from relay.language import Text
from relay.routing.calls import ExhaustedError, LateError
from relay.routing.loader import Loaded
from relay.routing.pipeline import Pipeline, Said
from relay.routing.refusals import refusal
from relay.routing.standing import Standing
from relay.store.protocol import Store

log = structlog.get_logger("relay.life")

MOST_WAIT = 4.0  # seconds that all plugins together have to end with the bot
FIRST = -(1 << 62)  # numbers of these calls: below those of all occasions

FAILED = Text("{name} 出错：{error}", "{name} failed: {error}", "on_start")
LATE = Text("{name} {ms} 毫秒内没有结束", "{name} took longer than {ms} ms", "on_start")


class Life:
    """Starts and stops versions of plugins; what they remember by it is stored at once."""

    def __init__(self, store: Store, pipeline: Pipeline, clock: Clock) -> None:
        self.standing: Standing | None = None  #: which is told what did not start
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._alive: set[Plugin] = set()
        self.later: list[Loaded] = []  #: parked when all began
        self._order: list[str] = []
        self._numbers = itertools.count(FIRST)

    async def begin(self) -> None:
        """Start those that the pipeline begins with; one that does not start is taken out of it."""
        self._order = self._order or [each.name for each in self._pipeline.plugins]
        for loaded in self._pipeline.plugins:
            if loaded.plugin in self._alive:
                continue
            if self._is_parked(loaded):  # perhaps it was its start that the last router died in
                self.later.append(loaded)
                self._leave_out(loaded)
            elif not await self._starts(loaded):
                self._leave_out(loaded)

    async def begin_later(self) -> None:
        """Start those that were parked when all began, once their time is over."""
        if self._pipeline.changing.locked():  # a swap is under way; messages do not wait for its end
            return
        async with self._pipeline.changing:
            for loaded in [each for each in self.later if not self._is_parked(each)]:
                if await self._starts(loaded):
                    self._pipeline.swap(sorted((*self._pipeline.plugins, loaded), key=self._place))
                self.later.remove(loaded)  # now: a store that refuses is asked again

    def hold(self, versions: Mapping[str, str]) -> set[str]:
        """Which of these wait, parked, for their start; what else waited does so no more."""
        self.later = [each for each in self.later if versions.get(each.name) == each.version]
        return {each.name for each in self.later}

    async def _starts(self, loaded: Loaded) -> bool:
        """Start it; where it does not, that is told."""
        try:
            await self.start(loaded)
        except (StorageError, ExhaustedError):  # it is started again, from its first hook on
            await self._pipeline.calls.end(loaded.plugin)
            self._pipeline.calls.belongings.begin(loaded.plugin)
            raise
        except PluginError as exc:
            await self._pipeline.calls.end(loaded.plugin)
            where = {"file": exc.file, "line": exc.line}
            log.error("plugin_not_loaded", plugin=loaded.name, error=exc.message, **where)
            if self.standing is not None:
                self.standing.refused(loaded.name, exc.message, exc.file, exc.line)
            return False
        return True

    def _place(self, loaded: Loaded) -> int:
        return self._order.index(loaded.name) if loaded.name in self._order else len(self._order)

    def _is_parked(self, loaded: Loaded) -> bool:
        """Whether it is its start that routers died in: messages go past it only once it has started."""
        parking = None if self.standing is None else self.standing.parking
        hooks = loaded.plugin.start_hooks
        return parking is not None and any(parking.parked(loaded.name, hook.name) for hook in hooks)

    def _leave_out(self, loaded: Loaded) -> None:
        self._pipeline.swap([each for each in self._pipeline.plugins if each is not loaded])

    async def start(self, loaded: Loaded) -> None:
        """Run what it does on start; raises `PluginError`, with file and line, and then it has not begun."""
        for handler in loaded.plugin.start_hooks:
            try:
                await self._run(loaded, handler)
            except (asyncio.CancelledError, ExhaustedError, StorageError):
                raise
            except BaseException as exc:  # the plugin's own code, which may also call exit()
                raise refusal(exc) or _error(loaded, handler, exc) from exc
        self._alive.add(loaded.plugin)

    async def stop(self, loaded: Loaded) -> None:
        """Run what it does on stop, if it has begun; what goes wrong is logged."""
        if loaded.plugin not in self._alive:
            return
        self._alive.discard(loaded.plugin)
        for handler in loaded.plugin.stop_hooks:
            try:
                await self._run(loaded, handler)
            except asyncio.CancelledError:
                raise
            except BaseException as exc:  # noqa: BLE001 - a border: the others are to end, too
                error = _error(loaded, handler, exc)
                where = {"file": error.file, "line": error.line}
                log.error("plugin_stop_failed", plugin=loaded.name, error=type(exc).__name__, **where)

    async def end(self) -> None:
        """Stop all of them, side by side."""
        plugins: Sequence[Loaded] = self._pipeline.plugins
        stops = [asyncio.create_task(self.stop(each)) for each in plugins if each.plugin.stop_hooks]
        if not stops:
            return
        _, late = await asyncio.wait(stops, timeout=MOST_WAIT)
        for task in late:
            task.cancel()
        if late:
            log.error("plugins_stop_late", plugins=len(late))
            await asyncio.wait(late)
        for task in stops:
            with contextlib.suppress(asyncio.CancelledError):
                task.result()

    async def _run(self, loaded: Loaded, handler: Handler) -> None:
        now, number = self._clock.now(), next(self._numbers)
        said = Said(number, None, handler.name, self._pipeline.at(now))
        box = self._pipeline.calls.box
        box.take([number])
        try:
            changes = await self._pipeline.remember(said, loaded, handler)
            try:
                await self._store.occasions.remember(changes)
            finally:
                self._pipeline.settle(changes)
        finally:
            box.drop(number)


def _error(loaded: Loaded, handler: Handler, exc: BaseException) -> PluginError:
    """What went wrong, at the last line of the plugin's own that it came through."""
    if isinstance(exc, LateError):
        return PluginError(LATE.filled(name=handler.name, ms=loaded.timeout), handler.file, handler.line)
    home = str(loaded.path.parent if loaded.path.name == "__init__.py" else loaded.path)
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(home)]
    file, line = (own[-1].filename, own[-1].lineno) if own else (handler.file, handler.line)
    told = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return PluginError(FAILED.filled(name=handler.name, error=told), file, line)
