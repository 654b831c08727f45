"""Take waiting messages through the pipeline: in order within a conversation, conversations side by side."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from relay.clock import CLOCKS_DIFFER, Clock
from relay.errors import StorageError
from relay.routing.blackbox import BlackBox
from relay.routing.calls import ExhaustedError
from relay.routing.occasions import Occasions
from relay.routing.pipeline import Pipeline
from relay.routing.received import message_of
from relay.routing.standing import Standing
from relay.routing.suspects import Verdict, judge
from relay.store.protocol import Store
from relay.store.states import MessageState
from relay.store.values import Identified, Routing, StoredMessage, TraceLine
from relay.store.watch import Watch
from relay.tasks import Tasks

log = structlog.get_logger("relay.router")

COPY_PATIENCE = 5_000  # ms that a copy waits for the acting account's own (contract 4.2)
IDENTIFY_TURNS = 4
IDENTIFY_BATCH = 64  # in one transaction: so long the receiver waits for the lock, some 5 ms
MOST_AT_ONCE = 64  # messages in hand, not counting the slow ones
MOST_IN_HAND = 1024  # messages in hand, counting them
SLOW = 250  # ms after which a message in hand keeps no other one from its turn
TRIAL_PATIENCE = 30_000  # ms that suspects wait at most for everybody else to be served first
LATE = 500  # ms after which a message is one that the receiver kept while the database was locked
SETTLING = 1_000  # ms, after a start or a late message, in which more such messages may come
IDLE = 0.25  # seconds after which a quiet router looks again: copies whose patience ended wake nobody
WAITS = (0.1, 0.3, 1.0, 3.0)  # seconds before a store that refused is asked again; the last one for ever

Conversation = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What the router needs of the configuration; times in milliseconds."""

    remember: int
    expire_after: int
    zone: dt.tzinfo
    accounts_configured: bool


class Router:
    """One per store. `step` does what can be done now; `run` does so for ever.

    A store that refuses is asked again for as long as the router runs: nothing but the death of the
    process counts against the messages in hand.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        clock: Clock,
        settings: RouterSettings,
        box: BlackBox | None = None,
        occasions: Occasions | None = None,
        standing: Standing | None = None,
    ) -> None:
        self.pipeline = pipeline
        self._store = store
        self._clock = clock
        self._settings = settings
        self._watch = Watch(store, clock)
        self._queues: dict[Conversation, deque[Identified]] = {}
        self._ready: deque[Conversation] = deque()
        self._deferred: set[Conversation] = set()
        self._next: set[Conversation] = set()  # as soon as the room is free
        self._in_rooms: set[str] = set()  # where one of them is in hand, whoever of ours heard it
        self._box = box or BlackBox()
        self._held: deque[Conversation] = deque()  # conversations that begin with a suspect
        self._on_trial: Conversation | None = None
        self._trials_at = 0
        self._settled_at = 0
        self._early = 0
        self._tasks = Tasks()
        self.occasions = occasions
        self.standing = standing
        self._begun: dict[int, int] = {}
        self._acting: dict[str, str] = {}
        self._claimed: set[int] = set()
        self._stop = asyncio.Event()
        self._refused = False
        self.started = False
        self._caught_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Route until told to stop, then finish what is in hand, or leave it as if it had never been.

        Raises `ExhaustedError`, in as good order, once this process can run no handlers any more.
        """
        self._stop = stop
        try:
            with contextlib.suppress(StorageError):  # it was logged, and only a stop ends the asking
                while not stop.is_set():
                    if not await self.step():
                        await self._insist(lambda: self._watch.wait(IDLE))
            with contextlib.suppress(StorageError):
                await self._tasks.wait()
        except ExhaustedError:
            await self._tasks.cancel()
            await self._give_back()
            raise
        await self._give_back()

    async def _give_back(self) -> None:
        with contextlib.suppress(StorageError):
            await self._store.give_back(sorted(self._claimed))
        if self.occasions is not None:
            await self.occasions.end()
        if self.standing is not None:
            with contextlib.suppress(StorageError):
                await self.standing.keep()
        self._box.clear()

    async def drain(self) -> None:
        """Route everything that can be routed by now."""
        while await self.step() or self._tasks:
            await self._tasks.wait()

    async def step(self) -> bool:
        """Identify new messages and start those whose turn it is; true when there may be more."""
        self._tasks.check()
        if not await self._accounts_known():
            return False
        if not self.started:
            await self._resume()
        more = await self._identify()
        if self.standing is not None and self.standing.due():
            await self._insist(self.standing.keep)
        called = await self._step_beside()
        started = await self._start_ready()
        return self._try_suspect() or started or called or more

    async def _step_beside(self) -> bool:
        """Let everything have its turn for which plugins are called beside messages."""
        alone = not self._held and self._on_trial is None
        return self.occasions is not None and await self.occasions.step(alone=alone)

    async def _accounts_known(self) -> bool:
        """Nothing is routed before we can tell our own from others (contract 4.3)."""
        if self._settings.accounts_configured:
            return True
        return await self._insist(lambda: self._store.meta("accounts_listed_at")) is not None

    async def _resume(self) -> None:
        """Take up what an earlier router left; what it died over is set aside, or tried apart."""
        if self.standing is not None:
            await self._insist(self.standing.begin)
        waiting = await self._insist(self._store.waiting)
        if self.occasions is not None:
            await self.occasions.begin(self._insist, self._tasks)
        verdict = judge(waiting, self._box.ending)
        await self._insist(lambda: self._store.give_back(verdict.acquitted))
        for condemned in verdict.condemned:
            await self._set_aside(condemned)
        for each in waiting:
            if each not in verdict.condemned:
                self._enqueue(each)
        self._hold(verdict)
        self.started = True

    async def _identify(self) -> bool:
        """Look at what is new, in short transactions, and far enough that all conversations take turns."""
        for _ in range(IDENTIFY_TURNS):
            if not await self._identify_some():
                return False
        return True

    async def _identify_some(self) -> bool:
        new, looked_at = await self._insist(
            lambda: self._store.identify(
                IDENTIFY_BATCH, self._settings.remember, include_own=self.pipeline.includes_own
            )
        )
        for each in new:
            self._enqueue(each)
        if new and self._clock.now() - new[-1].received_at > LATE:
            self._settled_at = self._clock.steady() + SETTLING
        self._caught_up = looked_at < IDENTIFY_BATCH
        return not self._caught_up

    def _enqueue(self, each: Identified) -> None:
        conversation = (each.account, each.chat)
        queue = self._queues.get(conversation)
        if queue is None:
            self._queues[conversation] = deque([each])
            self._ready.append(conversation)
        else:
            queue.append(each)

    # -- after a death ---------------------------------------------------------

    def _hold(self, verdict: Verdict) -> None:
        """Keep the conversations of suspects back."""
        first = {queue[0].id: conversation for conversation, queue in self._queues.items()}
        self._early = sum(suspect in first for suspect in verdict.suspects[: verdict.early])
        self._held.extend(first[suspect] for suspect in verdict.suspects if suspect in first)
        self._ready = deque(each for each in self._ready if each not in self._held)
        now = self._clock.steady()
        self._trials_at, self._settled_at = now + TRIAL_PATIENCE, now + SETTLING

    def _try_suspect(self) -> bool:
        """Let the next suspect have its turn once nobody waits for theirs; true when it has.

        So whatever it does costs others one time limit and not several in a row, and no other suspect
        is in hand that could be blamed for it. What the receiver could not hand over while the last one
        hung, perhaps with the database locked, comes only now.
        """
        now = self._clock.steady()
        served = self._caught_up and not self._ready and now >= self._settled_at
        early = self._early > 0
        if not self._held or self._on_trial or not (early or served or now >= self._trials_at):
            return False
        self._early -= early
        self._on_trial = self._held.popleft()
        self._ready.append(self._on_trial)
        return True

    def _tried(self, conversation: Conversation) -> None:
        if self._on_trial == conversation:
            self._on_trial = None

    async def _set_aside(self, suspect: Identified) -> None:
        reason = f"the router died {suspect.attempts} times while it was in hand"
        plugin, _, handler = self._box.ending.what(suspect.id).partition(".")
        line = TraceLine(plugin, "", "set_aside", reason, 0.0)
        aside = Routing(suspect.id, MessageState.SET_ASIDE, reason, (line,))
        await self._insist(lambda: self._store.finish(aside, self._settings.expire_after))
        about = {"message": f"m{suspect.id}", "attempts": suspect.attempts}
        log.error("message_set_aside", **about, plugin=plugin, handler=handler)

    # -- side by side ----------------------------------------------------------

    async def _start_ready(self) -> bool:
        """Claim the first message of every conversation that is free, as far as there is room."""
        self._ready.extendleft(self._next)  # first: what another ear of the room hears might never end
        self._ready.extend(self._deferred)  # last: each asks the store again
        self._next.clear()
        self._deferred.clear()
        chosen: list[Identified] = []
        room = self._room()
        for _ in range(len(self._ready)):
            if len(chosen) >= room:
                break
            conversation = self._ready.popleft()
            head = await self._head(conversation)
            if head is not None:
                chosen.append(head)
                if not _heard_alone(head):
                    self._in_rooms.add(head.chat)
        if not chosen:
            return False
        claimed = {each.id: each for each in await self._claim([head.id for head in chosen])}
        for head in chosen:
            self._begun[head.id] = self._clock.steady()
            self._tasks.start(self._take_turn(head, claimed.get(head.id)))
        await asyncio.sleep(0)  # they begin before anything else is looked for
        return True

    def _room(self) -> int:
        """How many more may be in hand: those that take long keep nobody else waiting, up to a bound."""
        busy = len(self._begun)
        if busy < MOST_AT_ONCE:
            return MOST_AT_ONCE - busy
        late = self._clock.steady() - SLOW
        slow = sum(1 for begun in self._begun.values() if begun < late)
        return min(MOST_AT_ONCE - busy + slow, MOST_IN_HAND - busy)

    async def _claim(self, ids: list[int]) -> list[StoredMessage]:
        self._box.take(ids)
        claimed = await self._insist(lambda: self._store.claim(ids))
        self._claimed.update(each.id for each in claimed)
        return claimed

    async def _head(self, conversation: Conversation) -> Identified | None:
        """The conversation's next message, if it is its turn now."""
        queue = self._queues[conversation]
        while queue:
            turn = await self._turn(queue[0])
            if turn == "now":
                return queue[0]
            if turn == "next":
                self._next.add(conversation)
                return None
            if turn == "later":
                self._deferred.add(conversation)
                return None
            queue.popleft()
        del self._queues[conversation]
        self._tried(conversation)
        return None

    async def _turn(self, head: Identified) -> str:
        """`now`, `later`, or `gone` when a copy of it was acted on."""
        if _heard_alone(head):
            return "now"
        if (
            head.chat in self._in_rooms
        ):  # by another ear: what it decides is in order, and counts for this one
            return "next"
        if self._acting.get(head.chat) == head.account:
            return "now"
        turn = await self._insist(lambda: self._store.turn(head.id))
        if turn is None:
            return "gone"
        self._acting[head.chat] = turn.acting
        if turn.acting == head.account:
            return "now"
        waited = self._clock.now() - head.received_at  # less than none, where the clock was put back
        patience_over = self._caught_up and not -CLOCKS_DIFFER <= waited < COPY_PATIENCE
        return "now" if patience_over and not turn.heard_by_acting else "later"

    async def _take_turn(self, head: Identified, claimed: StoredMessage | None) -> None:
        conversation = (head.account, head.chat)
        if claimed is not None:
            await self._route_or_blame(claimed)
        del self._begun[head.id]
        if not _heard_alone(head):
            self._in_rooms.discard(head.chat)
        self._box.drop(head.id)
        self._tried(conversation)
        self._queues[conversation].popleft()
        self._ready.append(conversation)
        self._watch.nudge()

    async def _route_or_blame(self, claimed: StoredMessage) -> None:
        try:
            await self._route(claimed)
        except (StorageError, ExhaustedError):
            raise
        except Exception as exc:  # the router ends with it
            self._box.blame(claimed.id, type(exc).__name__)
            raise

    async def _route(self, claimed: StoredMessage) -> None:
        message = message_of(claimed, self._settings.zone)
        routing = await self._insist(lambda: self.pipeline.run(claimed.id, message))
        finished = await self._insist(lambda: self._store.finish(routing, self._settings.expire_after))
        self._claimed.discard(claimed.id)
        self.pipeline.stored(routing)
        if not finished:  # another account's copy was first
            self._acting.pop(claimed.chat, None)
        elif not claimed.own:
            self._acting[claimed.chat] = claimed.account

    # -- while the disk refuses ------------------------------------------------

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it obeys; `StorageError` only once the router is told to stop."""
        for seconds in itertools.chain(WAITS, itertools.repeat(WAITS[-1])):
            try:
                answer = await ask()
            except StorageError as exc:
                if self._stop.is_set():
                    raise
                self._say_refused(exc)
            else:
                self._refused = False
                return answer
            await self._pause(seconds)
        raise AssertionError("the waits never end")

    def _say_refused(self, exc: StorageError) -> None:
        """Once for each time that it began."""
        if not self._refused:
            self._refused = True
            gc.collect()  # a handler may have left so much behind that SQLite finds no memory
            log.error("router_waits_for_storage", error=str(exc))

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the stop."""
        waits = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


def _heard_alone(each: Identified) -> bool:
    """Whether no other account of ours hears it: staff at one phone are heard by that phone."""
    return each.chat_type != "room" or each.own
