"""Take waiting messages through the pipeline: in order within a conversation, conversations side by side."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from dataclasses import dataclass

import structlog

from relay.clock import Clock
from relay.message import Message
from relay.pipeline import Pipeline
from relay.store.protocol import Store
from relay.store.states import MessageState
from relay.store.values import Identified, Routing, StoredMessage, TraceLine
from relay.store.watch import Watch
from relay.tasks import Tasks

log = structlog.get_logger("relay.router")

COPY_PATIENCE = 5_000  # ms that a copy waits for the acting account's own (contract 4.2)
IDENTIFY_BATCH = 500
MOST_AT_ONCE = 64
MOST_ATTEMPTS = 3  # a message that killed the router so often is set aside (contract 4.7)
IDLE = 0.25  # seconds after which a quiet router looks again: copies whose patience ended wake nobody

Conversation = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What the router needs of the configuration; times in milliseconds."""

    remember: int
    expire_after: int
    zone: dt.tzinfo
    accounts_configured: bool


class Router:
    """One per store. `step` does what can be done now; `run` does so for ever."""

    def __init__(self, store: Store, pipeline: Pipeline, clock: Clock, settings: RouterSettings) -> None:
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._settings = settings
        self._watch = Watch(store, clock)
        self._queues: dict[Conversation, deque[Identified]] = {}
        self._ready: deque[Conversation] = deque()
        self._deferred: set[Conversation] = set()
        self._suspects: deque[Identified] = deque()
        self._tasks = Tasks()
        self._acting: dict[str, str] = {}
        self._started = False
        self._caught_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Route until told to stop, then finish what is in hand."""
        while not stop.is_set():
            if not await self.step():
                await self._watch.wait(IDLE)
        await self._tasks.wait()

    async def drain(self) -> None:
        """Route everything that can be routed by now."""
        while await self.step() or self._tasks:
            await self._tasks.wait()

    async def step(self) -> bool:
        """Identify new messages and start those whose turn it is; true when there may be more."""
        self._tasks.check()
        if not await self._accounts_known():
            return False
        if not self._started:
            await self._resume()
        more = await self._identify()
        if self._suspects:
            return await self._try_suspect()
        return await self._start_ready() or more

    async def _accounts_known(self) -> bool:
        """Nothing is routed before we can tell our own from others (contract 4.3)."""
        return self._settings.accounts_configured or await self._store.meta("accounts_listed_at") is not None

    async def _resume(self) -> None:
        """Take up what an earlier router left; what it died over is tried alone first."""
        for each in await self._store.waiting():
            if each.attempts:
                self._suspects.append(each)
            else:
                self._enqueue(each)
        self._started = True

    async def _identify(self) -> bool:
        new, looked_at = await self._store.identify(
            IDENTIFY_BATCH, self._settings.remember, include_own=self._pipeline.includes_own
        )
        for each in new:
            self._enqueue(each)
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

    # -- one after the other where the process died before ---------------------

    async def _try_suspect(self) -> bool:
        """Alone, so that a message that kills the router takes no innocent one's attempts with it."""
        await self._tasks.wait()
        suspect = self._suspects.popleft()
        if suspect.attempts >= MOST_ATTEMPTS:
            await self._set_aside(suspect)
        else:
            for claimed in await self._store.claim([suspect.id]):
                await self._route(claimed)
        return True

    async def _set_aside(self, suspect: Identified) -> None:
        reason = f"the router died {suspect.attempts} times while it was in hand"
        line = TraceLine("", "", "set_aside", reason, 0.0)
        aside = Routing(suspect.id, MessageState.SET_ASIDE, reason, (line,))
        await self._store.finish(aside, self._settings.expire_after)
        log.error("message_set_aside", message=f"m{suspect.id}", attempts=suspect.attempts)

    # -- side by side ----------------------------------------------------------

    async def _start_ready(self) -> bool:
        """Claim the first message of every conversation that is free, as far as there is room."""
        self._ready.extend(self._deferred)
        self._deferred.clear()
        chosen: list[Identified] = []
        for _ in range(len(self._ready)):
            if len(self._tasks) + len(chosen) >= MOST_AT_ONCE:
                break
            conversation = self._ready.popleft()
            head = await self._head(conversation)
            if head is not None:
                chosen.append(head)
        if not chosen:
            return False
        claimed = {each.id: each for each in await self._store.claim([head.id for head in chosen])}
        for head in chosen:
            self._tasks.start(self._take_turn((head.account, head.chat), claimed.get(head.id)))
        return True

    async def _head(self, conversation: Conversation) -> Identified | None:
        """The conversation's next message, if it is its turn now."""
        queue = self._queues[conversation]
        while queue:
            turn = await self._turn(queue[0])
            if turn == "now":
                return queue[0]
            if turn == "later":
                self._deferred.add(conversation)
                return None
            queue.popleft()
        del self._queues[conversation]
        return None

    async def _turn(self, head: Identified) -> str:
        """`now`, `later`, or `gone` when a copy of it was acted on."""
        alone = head.chat_type != "room" or head.own  # staff at one phone are heard by that phone
        if alone or self._acting.get(head.chat) == head.account:
            return "now"
        turn = await self._store.turn(head.id)
        if turn is None:
            return "gone"
        self._acting[head.chat] = turn.acting
        if turn.acting == head.account:
            return "now"
        patience_over = self._caught_up and self._clock.now() >= head.received_at + COPY_PATIENCE
        return "now" if patience_over and not turn.heard_by_acting else "later"

    async def _take_turn(self, conversation: Conversation, claimed: StoredMessage | None) -> None:
        if claimed is not None:
            await self._route(claimed)
        self._queues[conversation].popleft()
        self._ready.append(conversation)
        self._watch.nudge()

    async def _route(self, claimed: StoredMessage) -> None:
        routing = await self._pipeline.run(claimed.id, _message(claimed, self._settings.zone))
        finished = await self._store.finish(routing, self._settings.expire_after)
        self._pipeline.stored(routing)
        if not finished:  # another account's copy was first
            self._acting.pop(claimed.chat, None)
        elif not claimed.own:
            self._acting[claimed.chat] = claimed.account


def _message(stored: StoredMessage, zone: dt.tzinfo) -> Message:
    return Message(
        id=f"m{stored.id}",
        svrid=stored.svrid,
        account=stored.account,
        chat=stored.chat,
        chat_type=stored.chat_type,
        sender=stored.sender,
        type=stored.type,
        time=_said_at(stored, zone),
        raw=stored.raw,
        own=stored.own,
    )


def _said_at(stored: StoredMessage, zone: dt.tzinfo) -> dt.datetime:
    """The message's own time, or that of its receipt where its own is beyond the calendar."""
    try:
        return dt.datetime.fromtimestamp(stored.time / 1000, zone)
    except (OverflowError, ValueError, OSError):
        return dt.datetime.fromtimestamp(stored.received_at / 1000, zone)
