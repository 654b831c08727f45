"""Who is called for an event, a change of a delivery, a tick or a time-out, with what, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay.authoring.conversation import Conversation
from relay.authoring.delivery import Delivery
from relay.authoring.event import Event
from relay.authoring.handlers import Handler, described
from relay.authoring.trace import Trace
from relay.errors import PluginError
from relay.routing.conversations import Place
from relay.routing.loader import Loaded
from relay.routing.pipeline import Pipeline, Said
from relay.store.occasions import Handled, Occasion, OccasionKind, OccasionState
from relay.store.protocol import Store
from relay.wire.entries import PRIVATE, ROOM

DEEPEST = 3  # changes of deliveries that come of handling another one, before it is taken for a circle

Called = tuple[Loaded, Handler]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where something is decided that no message is the cause of; of a conversation, where that is."""

    account: str = ""
    chat: str = ""
    chat_type: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class _Call:
    """Whom an occasion concerns, and what they get; `nobody` says why where it concerns no one."""

    handlers: Sequence[Called] = ()
    given: object = None
    place: Place = Elsewhere()
    message: int | None = None
    nobody: str = "no plugin that runs has registered for it"


class Audience:
    """Takes occasions to the handlers that are registered for them."""

    def __init__(self, pipeline: Pipeline, store: Store, *, dry_run: bool = False) -> None:
        self._pipeline = pipeline
        self._store = store
        self._dry_run = dry_run

    async def hear(self, occasion: Occasion, now: int) -> Handled:
        """Let everybody whom it concerns decide. Raises `ExhaustedError` and `StorageError`."""
        roster = self._pipeline.enter()
        try:
            work = self._hear(occasion, roster.plugins, now)
            return await self._pipeline.calls.box.steps(-occasion.id, "", work)
        finally:
            roster.leave()

    async def _writer(self, chat: str) -> str | None:
        """Who of ours is to write to a chat: who acts there, or the only one that there is."""
        acting = await self._store.acting(chat)
        if acting is not None:
            return acting
        ours = await self._store.accounts()
        return ours[0] if len(ours) == 1 else None

    async def _hear(self, occasion: Occasion, plugins: Sequence[Loaded], now: int) -> Handled:
        call = await self._call(occasion, plugins)
        if not call.handlers:
            return Handled(occasion.id, OccasionState.SKIPPED, call.nobody)
        trace = Trace()
        await self._pipeline.learn((occasion.account, occasion.chat, occasion.sender))
        outbox = self._pipeline.outbox(call.place, now, call.message, self._writer)
        said = Said(-occasion.id, call.given, f"o{occasion.id}", self._pipeline.at(now), self._dry_run)
        try:
            for loaded, handler in call.handlers:
                if await self._pipeline.call(said, loaded, handler, outbox, trace):
                    break
        except BaseException:  # it is asked again: what it changed so far is never to be
            self._pipeline.settle(tuple(outbox.changes))
            raise
        return Handled(
            occasion.id,
            OccasionState.HANDLED,
            None,
            trace.lines,
            outbox.deliveries,
            tuple(outbox.changes),
            tuple(outbox.talks),
            outbox.would,
        )

    async def _call(self, occasion: Occasion, plugins: Sequence[Loaded]) -> _Call:
        match occasion.kind:
            case OccasionKind.EVENT:
                return await self._of_event(occasion, plugins)
            case OccasionKind.DELIVERY:
                return await self._of_delivery(occasion, plugins)
            case OccasionKind.TICK:
                return self._of_tick(occasion, plugins)
            case OccasionKind.TIMEOUT:
                return self._of_timeout(occasion, plugins)

    async def _of_event(self, occasion: Occasion, plugins: Sequence[Loaded]) -> _Call:
        found = await self._store.occasions.happened(occasion.subject or 0)
        if found is None:
            return _Call(nobody="the event is not kept any more")
        handlers = [
            (loaded, each.handler)
            for loaded in plugins
            for each in loaded.bound.events
            if each.wants(found.type)
        ]
        at = self._pipeline.at(found.received_at)
        event = Event(f"e{found.id}", found.type, found.account, at, found.raw)
        return _Call(handlers, event, Elsewhere(found.account))

    async def _of_delivery(self, occasion: Occasion, plugins: Sequence[Loaded]) -> _Call:
        found = await self._store.occasions.moved(occasion.subject or 0)
        if found is None:
            return _Call(nobody="the delivery is not kept any more")
        if occasion.depth >= DEEPEST:
            return _Call(nobody="deliveries that tell of deliveries go in a circle")
        handlers = [
            (loaded, handler)
            for loaded in plugins
            if loaded.name != found.plugin
            for handler, states in loaded.bound.deliveries
            if occasion.became in states
        ]
        told = occasion.detail
        delivery = Delivery(
            id=f"d{found.id}",
            state=occasion.became,
            evidence=str(told.get("evidence") or ""),
            reason=str(told.get("error") or ""),
            kind=found.kind,
            account=found.account,
            target=found.target,
            plugin=found.plugin,
            rule=found.rule,
            message="" if found.message is None else f"m{found.message}",
            attempts=int(str(told.get("attempts", 0))),
            time=self._pipeline.at(occasion.at),
        )
        return _Call(handlers, delivery, Elsewhere(found.account))

    def _of_tick(self, occasion: Occasion, plugins: Sequence[Loaded]) -> _Call:
        handlers = [
            (loaded, handler)
            for loaded in _named(plugins, occasion.plugin)
            for handler, _ in loaded.bound.ticks
            if handler.name == occasion.handler
        ]
        return _Call(handlers, nobody=f"there is no {occasion.plugin}.{occasion.handler} any more")

    def _of_timeout(self, occasion: Occasion, plugins: Sequence[Loaded]) -> _Call:
        gone = _Call(nobody=f"there is no {occasion.plugin}.{occasion.handler} any more")
        loaded = next(_named(plugins, occasion.plugin), None)
        function = None if loaded is None else loaded.plugin.named(occasion.handler)
        if loaded is None or function is None:
            return gone
        if (elsewhere := loaded.switch.refusal(loaded.name, occasion.chat)) is not None:
            return _Call(nobody=elsewhere)
        try:
            handler = described(function, ("conversation", "ctx"))
        except PluginError:
            return gone
        place = Elsewhere(
            occasion.account,
            occasion.chat,
            PRIVATE if occasion.detail.get("ear") else ROOM,
            occasion.sender,
        )
        conversation = Conversation(
            occasion.account,
            occasion.chat,
            occasion.sender,
            "" if occasion.message is None else f"m{occasion.message}",
            self._pipeline.at(int(str(occasion.detail["since"]))),
            self._pipeline.at(int(str(occasion.detail["until"]))),
        )
        return _Call([(loaded, handler)], conversation, place, occasion.message)


def _named(plugins: Sequence[Loaded], name: str) -> Iterator[Loaded]:
    return (each for each in plugins if each.name == name)
