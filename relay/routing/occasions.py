"""What plugins are called for beside messages: queued, in order where order counts, each handled once."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

import structlog

from relay.authoring.rhythm import Rhythm
from relay.clock import Clock
from relay.errors import StorageError
from relay.routing import ticking
from relay.routing.audience import Audience
from relay.routing.calls import ExhaustedError
from relay.routing.life import Life
from relay.routing.loader import Loaded
from relay.routing.pipeline import Pipeline
from relay.routing.suspects import judge
from relay.store.occasions import ANY, Handled, Hearing, Occasion, OccasionKind, OccasionState, Tick
from relay.store.protocol import Store
from relay.store.values import Identified, TraceLine
from relay.tasks import Tasks

log = structlog.get_logger("relay.occasions")

MOST_AT_ONCE = 32  # in hand
MOST_KNOWN = 1_000  # in memory: what else waits is read once these are fewer
TIMED_OUT_AT_ONCE = 20
PLUGIN_PATIENCE = 86_400_000  # ms that a tick or a time-out waits for a plugin that does not run

T = TypeVar("T")


class Insist(Protocol):
    """Asks the store until it obeys."""

    async def __call__(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What it answers."""


Line = tuple[Hashable, ...]
"""What is to be handled one after the other."""


class Occasions:
    """One per router, which lets it `step` and has its tasks beside its own."""

    def __init__(self, store: Store, pipeline: Pipeline, clock: Clock, expire_after: int) -> None:
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._expire_after = expire_after
        self._tasks = Tasks()
        self._insist: Insist = _once
        self.life = Life(store, pipeline, clock)
        self._audience = Audience(pipeline, store)
        self._known: tuple[Loaded, ...] | None = None
        self._rhythms: dict[tuple[str, str, str], Rhythm] = {}
        self._hearing = Hearing({}, 0)
        self._seen = 0
        self._lines: dict[Line, deque[Occasion]] = {}
        self._busy: dict[Line, int] = {}
        self._held: deque[Line] = deque()  #: that begin with a suspect, to be tried one at a time
        self._wanted = True  #: whether anything may come up at all

    async def begin(self, insist: Insist, tasks: Tasks) -> None:
        """Start the plugins, and take up what an earlier router left."""
        self._insist, self._tasks = insist, tasks
        await self._insist(self.life.begin)
        waiting = await self._insist(lambda: self._store.occasions.fresh(0, MOST_KNOWN))
        verdict = judge(map(_suspect, waiting), self._pipeline.calls.box.ending)
        await self._insist(lambda: self._store.occasions.give_back([-number for number in verdict.acquitted]))
        condemned, held = {-each.id for each in verdict.condemned}, {-number for number in verdict.suspects}
        for each in waiting:
            self._seen = each.id
            if each.id in condemned:
                await self._set_aside(each)
                continue
            self._enqueue(each)
            if each.id in held and _line(each) not in self._held:
                self._held.append(_line(each))

    async def end(self) -> None:
        """The bot ends in good order: what is in hand is given back, and the plugins are told."""
        with contextlib.suppress(StorageError):
            await self._store.occasions.give_back(sorted(self._busy.values()))
        await self.life.end()

    async def step(self, *, alone: bool) -> bool:
        """Queue what has come up and start those whose turn it is; true when there may be more.

        `alone` says that no message is on trial, so that a suspect may be.
        """
        if self.life.later:
            await self._insist(self.life.begin_later)
        if self._known is not self._pipeline.plugins:
            await self._learn()
        if not (self._wanted or self._lines or self._pipeline.talks):
            return False
        more = await self._queue()
        started = await self._start_ready()
        if self._held and alone and not started and not self._busy:
            self._held.popleft()
            return True
        return started or more

    # -- what is wanted --------------------------------------------------------

    async def _learn(self) -> None:
        """Other plugins run now: what they want is noted from here on, and what nobody wants no more."""
        plugins, gone = self._pipeline.plugins, set[str]()
        if self._known is not None:
            gone = {each.name for each in self._known} - {each.name for each in plugins}
        wanted = sorted(
            {
                (state.value, each.name)
                for each in plugins
                for _, states in each.bound.deliveries
                for state in states
            }
        )
        await self._insist(lambda: self._store.occasions.await_states(wanted))
        await self._learn_events(plugins)
        await self._plan(plugins, gone)
        self._wanted = bool(wanted or self._rhythms or self._hearing.since)
        self._known = plugins

    async def _learn_events(self, plugins: Sequence[Loaded]) -> None:
        handlers = [handler for each in plugins for handler in each.bound.events]
        types = {type_ for handler in handlers for type_ in (handler.types or {ANY})}
        self._hearing = await self._insist(lambda: self._store.occasions.hear_events(types))

    async def _plan(self, plugins: Sequence[Loaded], removed: set[str]) -> None:
        """Let the clocks tick on that did before, and others begin."""
        zone, now = self._pipeline.zone, self._clock.now()
        self._rhythms = {
            (each.name, handler.name, ticking.word(rhythm, zone)): rhythm
            for each in plugins
            for handler, rhythm in each.bound.ticks
        }
        ticks = await self._insist(self._store.occasions.ticks)
        before = {(each.plugin, each.handler, each.rhythm): each for each in ticks}
        names = {each.name for each in plugins}
        gone = [
            each
            for key, each in before.items()
            if key not in self._rhythms
            and (each.plugin in names | removed or each.next_at < now - PLUGIN_PATIENCE)
        ]
        new = [
            Tick(*key, ticking.first(rhythm, now, zone))
            for key, rhythm in self._rhythms.items()
            if key not in before
        ]
        await self._insist(lambda: self._store.occasions.plan(new, gone))

    # -- what has come up ------------------------------------------------------

    async def _queue(self) -> bool:
        occasions = self._store.occasions
        if self._rhythms:
            await self._tick()
        if self._hearing.since:
            self._hearing = await self._insist(lambda: occasions.take_events(self._hearing))
        await self._insist(lambda: occasions.time_out(TIMED_OUT_AT_ONCE))
        names = {each.name for each in self._pipeline.plugins}
        # What waits for a plugin that is not there keeps nobody else from their turn.
        room = MOST_KNOWN - sum(
            len(line) for line in self._lines.values() if not self._waits_for_plugin(line[0], names)
        )
        if room <= 0:
            return False
        fresh = await self._insist(lambda: occasions.fresh(self._seen, room))
        for each in fresh:
            self._seen = each.id
            self._enqueue(each)
        return bool(fresh)

    async def _tick(self) -> None:
        """Queue what is due; a clock that was ahead when a tick was planned keeps it from nobody."""
        zone, now = self._pipeline.zone, self._clock.now()
        lost = []
        for tick in await self._insist(self._store.occasions.ticks):
            rhythm = self._rhythms.get((tick.plugin, tick.handler, tick.rhythm))
            if rhythm is None:
                continue
            if tick.next_at <= now:
                await self._queue_tick(tick, ticking.following(rhythm, tick.next_at, now, zone))
            elif ticking.is_lost(rhythm, tick.next_at, now):
                again = ticking.first(rhythm, now, zone)
                lost.append(Tick(tick.plugin, tick.handler, tick.rhythm, again))
        if lost:
            await self._insist(lambda: self._store.occasions.plan(lost))

    async def _queue_tick(self, tick: Tick, next_at: int) -> None:
        await self._insist(lambda: self._store.occasions.tick(tick, next_at))

    def _enqueue(self, each: Occasion) -> None:
        self._lines.setdefault(_line(each), deque()).append(each)

    # -- side by side ----------------------------------------------------------

    async def _start_ready(self) -> bool:
        names = {each.name for each in self._pipeline.plugins}
        heads = [
            (line, queue[0])
            for line, queue in self._lines.items()
            if line not in self._busy
            and line not in self._held
            and not self._waits_for_plugin(queue[0], names)
        ][: MOST_AT_ONCE - len(self._busy)]
        if not heads:
            return False
        self._pipeline.calls.box.take(-head.id for _, head in heads)
        claimed = {each.id: each for each in await self._insist(lambda: self._claim(heads))}
        for line, head in heads:
            self._busy[line] = head.id
            self._tasks.start(self._take_turn(line, head.id, claimed.get(head.id)))
        return True

    def _waits_for_plugin(self, head: Occasion, names: set[str]) -> bool:
        """Its plugin does not load, perhaps, and will be mended."""
        there = not head.plugin or head.plugin in names
        return not there and self._clock.now() - head.at < PLUGIN_PATIENCE

    async def _claim(self, heads: Iterable[tuple[Line, Occasion]]) -> list[Occasion]:
        return await self._store.occasions.claim([head.id for _, head in heads])

    async def _take_turn(self, line: Line, number: int, claimed: Occasion | None) -> None:
        if claimed is not None:
            await self._handle_or_blame(claimed)
        del self._busy[line]
        self._pipeline.calls.box.drop(-number)
        queue = self._lines[line]
        queue.popleft()
        if not queue:
            del self._lines[line]

    async def _handle_or_blame(self, claimed: Occasion) -> None:
        try:
            await self._handle(claimed)
        except (StorageError, ExhaustedError):
            raise
        except Exception as exc:  # the router ends with it
            self._pipeline.calls.box.blame(-claimed.id, type(exc).__name__)
            raise

    async def _handle(self, claimed: Occasion) -> None:
        handled = await self._insist(lambda: self._audience.hear(claimed, self._clock.now()))
        await self._insist(lambda: self._store.occasions.finish(handled, self._expire_after))
        self._pipeline.stored(handled)

    async def _set_aside(self, each: Occasion) -> None:
        reason = f"the router died {each.attempts} times while it was in hand"
        plugin, _, handler = self._pipeline.calls.box.ending.what(-each.id).partition(".")
        line = TraceLine(plugin, "", "set_aside", reason, 0.0)
        aside = Handled(each.id, OccasionState.SET_ASIDE, reason, (line,))
        await self._insist(lambda: self._store.occasions.finish(aside, self._expire_after))
        about = {"occasion": f"o{each.id}", "kind": str(each.kind), "attempts": each.attempts}
        log.error("occasion_set_aside", **about, plugin=plugin, handler=handler)


async def _once(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


def _suspect(each: Occasion) -> Identified:
    """As the judge of messages sees it: numbers below 0 are of occasions."""
    return Identified(-each.id, each.account, each.chat, "", 0, each.at, each.attempts)


def _line(each: Occasion) -> Line:
    match each.kind:
        case OccasionKind.EVENT:
            return each.kind, each.account
        case OccasionKind.DELIVERY:
            return each.kind, each.subject
        case OccasionKind.TICK:
            return each.kind, each.plugin, each.handler
        case OccasionKind.TIMEOUT:
            return each.kind, each.account, each.chat, each.sender
