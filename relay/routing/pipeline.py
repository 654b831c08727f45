"""A message in, decisions out: every plugin has its say, and none can spoil another's."""

from __future__ import annotations

import asyncio
import datetime as dt
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from relay.authoring.choice import NO_GROUPS
from relay.authoring.decisions import Decision, DecisionError, decisions_of
from relay.authoring.handlers import Handler
from relay.authoring.inquiry import Inquiry
from relay.authoring.message import Message
from relay.authoring.names import Names
from relay.authoring.plugin import Context
from relay.authoring.state import StateBook, StatePage
from relay.authoring.trace import EVERY_LINE, MOST_LINES, Trace
from relay.clock import Clock
from relay.routing.calls import Call, Calls, ExhaustedError, LateError
from relay.routing.conversations import Conversations, Place, answering, ended, talks_of
from relay.routing.loader import Loaded
from relay.routing.outbox import Outbox, Resolve
from relay.routing.parking import Failure, Parking
from relay.routing.refusals import Refusals
from relay.routing.roster import Roster
from relay.store.occasions import Handled
from relay.store.states import MessageState
from relay.store.values import Routing, StateChange, Talk

log = structlog.get_logger("relay.pipeline")


@dataclass(frozen=True, slots=True)
class Memory:
    """What handlers can look up: what plugins remember, and what people and chats are called."""

    book: StateBook
    names: Names
    conversations: Conversations | None = None


class Witness(Protocol):
    """Is told what every handler decided, and of what it failed; the live bot has none, tests have."""

    def decided(self, plugin: str, handler: str, decisions: Sequence[Decision]) -> None:
        """All of it counts."""

    def failed(self, plugin: str, handler: str, error: BaseException) -> None:
        """Nothing of it counts."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is on its way through the plugins since `now`: a message, or what else they are called for.

    `number` and `about` are as in a call, and `given` is what handlers get before their context.
    """

    number: int
    given: object
    about: str
    now: dt.datetime
    dry_run: bool = False
    detailed: bool = False


class Pipeline:
    """The plugins in their order, over which messages run one by one or side by side."""

    def __init__(
        self,
        plugins: Sequence[Loaded],
        clock: Clock,
        zone: dt.tzinfo,
        resolve: Resolve,
        memory: Memory,
        calls: Calls | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._roster = Roster(plugins)
        self.changing = asyncio.Lock()  #: held by whoever is about to put others there
        self._clock = clock
        self.zone = zone
        self._resolve = resolve
        self._memory = memory
        self._inquiry = Inquiry(memory.names.store)
        self._refusals = Refusals(memory.names.store)
        self.calls = calls or Calls()
        self.parking: Parking | None = None  #: whom the live bot leaves alone for a while
        self._witness = witness
        self._logs: dict[str, structlog.typing.FilteringBoundLogger] = {}

    @property
    def plugins(self) -> tuple[Loaded, ...]:
        """Those that the next message goes through, in their order."""
        return self._roster.plugins

    def swap(self, plugins: Sequence[Loaded]) -> Roster:
        """Let the next message go through these; comes back what those in hand still go through."""
        before, self._roster = self._roster, Roster(plugins, self._roster)
        return before

    @property
    def includes_own(self) -> bool:
        """Whether any handler wants to see what staff type on our accounts' phones."""
        return any(choice.include_own for loaded in self.plugins for _, choice in loaded.bound.messages)

    def stored(self, routing: Routing | Handled) -> None:
        """Tell that what came of a message, or of an occasion, is on disk, or will never be."""
        self._refusals.over(routing.message if isinstance(routing, Routing) else -routing.occasion)
        self._memory.book.settle(routing.changes)
        if routing.talks and self._memory.conversations is not None:
            self._memory.conversations.began(routing.talks)

    def settle(self, changes: tuple[StateChange, ...]) -> None:
        """The same of what a plugin is to remember without either."""
        self._memory.book.settle(changes)

    def enter(self) -> Roster:
        """The plugins as they are now, for whoever goes through them and says when that is over."""
        return self._roster.enter()

    async def run(
        self, number: int, message: Message, *, dry_run: bool = False, detailed: bool = False
    ) -> Routing:
        """Ask every handler, and return state, trace and deliveries of message `number`.

        A `detailed` trace has a line for every rule, however many there are.

        Raises `ExhaustedError` where this process cannot ask any more, and `StorageError` where the store
        refuses: it is to be asked again.
        """
        roster, now = self._roster.enter(), self.at(self._clock.now())
        said = Said(number, message, message.id, now, dry_run, detailed)
        try:
            return await self.calls.box.steps(number, "", self._run(said, message, roster.plugins))
        finally:
            roster.leave()

    async def _run(self, said: Said, message: Message, plugins: Sequence[Loaded]) -> Routing:
        trace, number = Trace(EVERY_LINE if said.detailed else MOST_LINES), said.number
        await self._memory.names.learn((message.sender, message.chat, message.account))
        if self._memory.conversations is not None:
            await self._memory.conversations.ready()
        now = self._clock.now()
        outbox = Outbox(message, self._resolve, now, number)
        try:
            await self._ask_all(said, message, plugins, outbox, trace)
        except BaseException:  # it is asked again: what it changed so far is never to be
            self._memory.book.settle(tuple(outbox.changes))
            raise
        return Routing(
            number,
            MessageState.ROUTED,
            None,
            trace.lines,
            outbox.deliveries,
            tuple(outbox.changes),
            tuple(outbox.talks),
            would=outbox.would,
        )

    async def _ask_all(
        self, said: Said, message: Message, plugins: Sequence[Loaded], outbox: Outbox, trace: Trace
    ) -> None:
        """One after the other, until one of them stops it."""
        asked = iter(plugins)
        for loaded in asked:
            if await self._ask(said, message, loaded, outbox, trace):
                for later in asked:
                    trace.note(later.name, "", "no", f"{loaded.name} stopped it before")

    @property
    def talks(self) -> bool:
        """Whether a conversation may be open."""
        return self._memory.conversations is not None and self._memory.conversations.open

    async def learn(self, wxids: Iterable[str]) -> None:
        """Know what these are called when plugins ask."""
        await self._memory.names.learn(wxid for wxid in wxids if wxid)

    def at(self, milliseconds: int) -> dt.datetime:
        """A time, as plugins see it."""
        return dt.datetime.fromtimestamp(milliseconds / 1000, self.zone)

    def outbox(
        self, place: Place, now: int, about: int | None, acting: Callable[[str], Awaitable[str | None]]
    ) -> Outbox:
        """An empty one for what is no message; `acting` tells who of ours is to write to a chat."""
        return Outbox(place, self._resolve, now, about, acting)

    async def _ask(self, said: Said, message: Message, loaded: Loaded, outbox: Outbox, trace: Trace) -> bool:
        """True when the plugin stopped the message."""
        if (elsewhere := loaded.switch.refusal(loaded.name, message.chat)) is not None:
            trace.note(loaded.name, "", "no", elsewhere)
            return False
        if self.talks and (answer := await self._answer(said, message, loaded, outbox, trace)) is not None:
            return answer
        several = len(loaded.bound.messages) > 1
        asked = iter(loaded.bound.messages)
        for handler, choice in asked:
            match = choice.ask(message)
            if isinstance(match, str):
                trace.note(loaded.name, "", "no", f"{handler.name}(): {match}" if several else match)
                continue
            if await self.call(said, loaded, handler, outbox, trace, match):
                for later, _ in asked:
                    trace.note(loaded.name, "", "no", f"{later.name}(): {handler.name}() stopped it before")
                return True
        return False

    async def _answer(
        self, said: Said, message: Message, loaded: Loaded, outbox: Outbox, trace: Trace
    ) -> bool | None:
        """The same where the message answers what the plugin asked; None where it does not."""
        if self._memory.conversations is None or loaded.observe:
            return None
        question = await self._memory.conversations.question(loaded.name, said.number, message)
        if question is None:
            return None
        handler = answering(loaded.plugin, question.handler)
        if handler is None:
            gone = f"the conversation ends: there is no {question.handler} any more"
            trace.note(loaded.name, "", "error", gone)
            outbox.talks.append(ended(question))
            return None
        trace.note(loaded.name, "", "answer", f"to a question: it goes to {question.handler}")
        at = len(outbox.talks)
        stopped = await self.call(said, loaded, handler, outbox, trace)
        if stopped is not None:  # with an error, nothing has happened, and the question stands
            outbox.talks.insert(at, ended(question))
        return bool(stopped)

    async def call(
        self,
        said: Said,
        loaded: Loaded,
        handler: Handler,
        outbox: Outbox,
        trace: Trace,
        match: Mapping[str, str] = NO_GROUPS,
    ) -> bool | None:
        """Call one handler; true when it stopped what is said, None when it failed."""
        await self._refusals.ready(said.number)
        page, own = self._memory.book.open(outbox), Trace(trace.most)
        ctx = self._context(said, loaded, page, own, match)
        given = () if said.given is None else (said.given,)
        call = Call(said.number, loaded, handler, given, ctx, said.about)
        return await self._decide(call, page, own, outbox, trace)

    def _log(self, plugin: str) -> structlog.typing.FilteringBoundLogger:
        """A plugin's own, also of one that is not in the roster yet."""
        if plugin not in self._logs:
            self._logs[plugin] = structlog.get_logger(f"plugin.{plugin}")
        return self._logs[plugin]

    def _context(
        self, said: Said, loaded: Loaded, page: StatePage, own: Trace, match: Mapping[str, str]
    ) -> Context:
        return Context(
            settings=loaded.settings,
            log=self._log(loaded.name),
            now=said.now,
            plugin=loaded.name,
            trace=own,
            state=page.of(loaded.memory),
            names=self._memory.names,
            bot=self._inquiry,
            dry_run=said.dry_run or loaded.observe,
            detailed=said.detailed,
            match=match,
        )

    async def remember(self, said: Said, loaded: Loaded, handler: Handler) -> tuple[StateChange, ...]:
        """Call one that decides nothing, at the start or the end of its plugin: what it is to remember.

        Raises what it raises.
        """
        page, own = self._memory.book.open(), Trace()
        try:
            ctx = self._context(said, loaded, page, own, NO_GROUPS)
            result = await self.calls.result(Call(said.number, loaded, handler, (), ctx, said.about))
            if result is not None:
                raise TypeError(f"{handler.name} decides nothing: it returns {type(result).__name__}")
        except BaseException:
            page.tear_out()
            raise
        return page.close()

    def _talks(self, call: Call, outbox: Outbox, decisions: Sequence[Decision], own: Trace) -> list[Talk]:
        if call.loaded.observe:
            return []
        return talks_of(call.loaded.plugin, outbox.about, decisions, self._resolve, own)

    async def _taken(
        self, call: Call, result: object, outbox: Outbox, own: Trace
    ) -> tuple[Sequence[Decision], list[Talk], bool]:
        """What it decided by what it returned, put into the outbox: all of it, or with an error nothing."""
        if result is None:
            return (), [], False
        with self.calls.box.running(call.number, call.what):  # reading what it returned is its own doing
            decisions = decisions_of(result)
        if not decisions:
            return (), [], False
        await outbox.look_up(decisions)
        with self.calls.box.running(call.number, call.what):
            talks = self._talks(call, outbox, decisions, own)  # first: what it refuses, nobody takes
            stopped = outbox.take(call.loaded.name, decisions, own, observe=call.loaded.observe)
        return decisions, talks, stopped

    async def _decide(
        self, call: Call, page: StatePage, own: Trace, outbox: Outbox, trace: Trace
    ) -> bool | None:
        """Let one handler decide: all that it decided counts, or with an error, then None, nothing of it."""
        name = call.loaded.name
        if self.parking is not None and (parked := self.parking.refusal(name)) is not None:
            page.tear_out()
            trace.note(name, "", "parked", parked)
            return None
        try:
            result = await self.calls.result(call)
            decisions, talks, stopped = await self._taken(call, result, outbox, own)
        except (asyncio.CancelledError, ExhaustedError):  # ours: a handler's own is told as an error of its
            page.tear_out()
            raise
        except BaseException as exc:  # noqa: BLE001 - a border: logged, and in the trace
            page.tear_out()
            await self._fail(call, exc, trace)
            traceback.clear_frames(exc.__traceback__)  # what it held is free now, not once somebody looks
            return None
        if self.parking is not None:
            self.parking.succeeded(name)
        if self._witness is not None:
            self._witness.decided(call.loaded.name, call.handler.name, decisions)
        outbox.changes += page.close()
        outbox.talks += talks
        if not decisions and not own.lines:
            own.note(call.loaded.name, "", "no", f"{call.handler.name} decided nothing")
        if decisions and call.loaded.places:
            own.arrange(call.loaded.places)
        trace.add(own)
        return stopped

    async def _fail(self, call: Call, exc: BaseException, trace: Trace) -> None:
        """Tell what a handler failed of; raises `StorageError` where it was the store that refused."""
        if (refused := await self._refusals.of(call.number, exc)) is not None:
            raise refused
        failure = _note_error(call, exc, trace)
        if self.parking is not None:
            self.parking.failed(call.loaded.name, failure)
        if self._witness is not None:
            self._witness.failed(call.loaded.name, call.handler.name, exc)


def _note_error(call: Call, exc: BaseException, trace: Trace) -> Failure:
    name, handler = call.loaded.name, call.handler.name
    if isinstance(exc, LateError):
        trace.note(name, "", "error", f"{handler} {exc}")
        log.warning("handler_timed_out", plugin=name, handler=handler, **call.told)
        return Failure(f"{handler} {exc}", call.handler.file, call.handler.line)
    error, where = type(exc).__name__, _where(exc, call.handler)
    said = str(exc) if isinstance(exc, DecisionError) else error
    trace.note(name, "", "error", f"{handler}: {said} at {where}")
    log.error("handler_failed", plugin=name, handler=handler, error=error, at=where, **call.told)
    own = [each for each in traceback.extract_tb(exc.__traceback__) if each.filename == call.handler.file]
    line = own[-1].lineno if own else call.handler.line
    return Failure(f"{handler}: {said} at {where}", call.handler.file, line)


def _where(exc: BaseException, handler: Handler) -> str:
    """File and line, without the error's own words: these may hold what a customer wrote.

    The line in the plugin's own file is the one to look at, wherever the error came from.
    """
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if frame.filename == handler.file]
    if not frames or (isinstance(exc, DecisionError) and not own):  # about what it returned
        return f"{Path(handler.file).name}:{handler.line}" if handler.file else handler.name
    ours = isinstance(exc, DecisionError)
    told = own[-1:] if ours else own[-1:] + frames[-1:]
    return ", ".join(dict.fromkeys(f"{each.filename.rpartition('/')[2]}:{each.lineno}" for each in told))
