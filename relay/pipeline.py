"""A message in, decisions out: every plugin has its say, and none can spoil another's."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog

from relay.clock import Clock
from relay.decisions import Decision, Forward, Reply, Send, Stop
from relay.loader import Loaded
from relay.message import Message
from relay.plugin import Context, Handler
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import NewDelivery, Routing
from relay.trace import Trace

log = structlog.get_logger("relay.pipeline")

Resolve = Callable[[str], tuple[str, ...]]  # a name of [chats] or a wxid → wxids; ValueError when unknown


class Pipeline:
    """The plugins in their order, over which messages run one by one or side by side."""

    def __init__(self, plugins: Sequence[Loaded], clock: Clock, zone: dt.tzinfo, resolve: Resolve) -> None:
        self._plugins = tuple(plugins)
        self._clock = clock
        self._zone = zone
        self._resolve = resolve

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Routing:
        """Ask every handler, and return state, trace and deliveries of message `number`."""
        trace = Trace()
        outbox = _Outbox(message, self._resolve, trace, self._clock.now())
        for loaded in self._plugins:
            if await self._ask(loaded, message, outbox, trace, dry_run):
                break
        return Routing(number, MessageState.ROUTED, None, trace.lines, outbox.deliveries)

    async def _ask(
        self, loaded: Loaded, message: Message, outbox: _Outbox, trace: Trace, dry_run: bool
    ) -> bool:
        """True when the plugin stopped the message."""
        for handler in loaded.plugin.handlers:
            if (refusal := handler.refuses(message)) is not None:
                trace.note(loaded.name, "", "no", refusal)
                continue
            decisions = await self._call(loaded, handler, message, trace, dry_run)
            if outbox.take(loaded.name, decisions):
                return True
        return False

    async def _call(
        self, loaded: Loaded, handler: Handler, message: Message, trace: Trace, dry_run: bool
    ) -> Sequence[Decision]:
        own = Trace()
        now = dt.datetime.fromtimestamp(self._clock.now() / 1000, self._zone)
        plugin_log = structlog.get_logger(f"plugin.{loaded.name}")
        ctx = Context(loaded.settings, plugin_log, now, loaded.name, own, dry_run)
        try:
            async with asyncio.timeout(loaded.timeout / 1000):
                result = await _result(handler, message, ctx)
            decisions = _decisions(result)
        except TimeoutError:
            trace.note(loaded.name, "", "error", f"{handler.name} took longer than {loaded.timeout} ms")
            log.warning("handler_timed_out", plugin=loaded.name, handler=handler.name, message=message.id)
            return ()
        except Exception as exc:  # noqa: BLE001 - a border: logged, and in the trace
            where = _where(exc)
            trace.note(loaded.name, "", "error", f"{handler.name}: {type(exc).__name__} at {where}")
            log.error(
                "handler_failed",
                plugin=loaded.name,
                handler=handler.name,
                error=type(exc).__name__,
                at=where,
                message=message.id,
            )
            return ()
        trace.add(own)
        if not decisions and not own.lines:
            trace.note(loaded.name, "", "no", f"{handler.name} decided nothing")
        return decisions


async def _result(handler: Handler, message: Message, ctx: Context) -> object:
    if handler.is_async:
        return await handler.function(message, ctx)
    return await _in_thread(handler.function, message, ctx)


async def _in_thread(function: Callable[..., object], *args: object) -> object:
    """Run a plain function in a thread of its own: one that hangs holds up neither others nor the exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except Exception as exc:  # noqa: BLE001 - handed to whoever awaits the future
            error = exc
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="relay-handler", daemon=True).start()
    return await future


def _decisions(result: object) -> Sequence[Decision]:
    if result is None:
        return ()
    several = result if isinstance(result, list | tuple) else (result,)
    for each in several:
        if not isinstance(each, Forward | Reply | Send | Stop):
            raise TypeError(f"{type(each).__name__} is no decision")
    return several


def _where(exc: BaseException) -> str:
    """File and line, without the error's own words: these may hold what a customer wrote."""
    frames = traceback.extract_tb(exc.__traceback__)
    last = frames[-1] if frames else None
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}" if last else "its result"


class _Outbox:
    """Turns decisions into deliveries, each target once."""

    def __init__(self, message: Message, resolve: Resolve, trace: Trace, now: int) -> None:
        self._message = message
        self._resolve = resolve
        self._trace = trace
        self._now = now
        self._forwarded: dict[str, str] = {}
        self._ordinals: Counter[tuple[str, str]] = Counter()
        self._deliveries: list[NewDelivery] = []

    @property
    def deliveries(self) -> tuple[NewDelivery, ...]:
        return tuple(self._deliveries)

    def take(self, plugin: str, decisions: Iterable[Decision]) -> bool:
        """Add what was decided, in order; true when one of the decisions is to stop."""
        stopped = False
        for decision in decisions:
            match decision:
                case Stop():
                    stopped = True
                    self._trace.note(plugin, decision.rule, "stop", "later rules and plugins do not see it")
                case Forward():
                    self._forward(plugin, decision)
                case Reply():
                    self._send(plugin, decision, (self._message.chat,), "", "reply")
                case Send():
                    self._send(
                        plugin,
                        decision,
                        self._targets(plugin, decision.rule, (decision.chat,)),
                        decision.account,
                        "send",
                    )
        return stopped

    def _forward(self, plugin: str, decision: Forward) -> None:
        targets = [
            chat for chat in self._targets(plugin, decision.rule, decision.to) if chat != self._message.chat
        ]
        new = [chat for chat in targets if chat not in self._forwarded]
        for chat in targets:
            if chat in self._forwarded:
                self._trace.note(
                    plugin, decision.rule, "no", f"{chat} gets it by {self._forwarded[chat]} already"
                )
        for chat in new:
            self._forwarded[chat] = f"{plugin} {decision.rule}".strip()
            self._add(plugin, decision.rule, DeliveryKind.FORWARD, self._message.account, chat, None, 0)
        if new:
            self._trace.note(plugin, decision.rule, "forward", "to " + ", ".join(new))
        elif not targets:
            self._trace.note(plugin, decision.rule, "no", "no other chat to forward to")

    def _send(
        self, plugin: str, decision: Reply | Send, chats: Iterable[str], account: str, word: str
    ) -> None:
        delay = self._delay(decision)
        for chat in chats:
            for outgoing in decision.messages:
                by = account or self._message.account
                self._add(plugin, decision.rule, DeliveryKind.SEND, by, chat, outgoing.body(), delay)
            self._trace.note(plugin, decision.rule, word, f"{len(decision.messages)} to {chat}")

    def _delay(self, decision: Reply | Send) -> int:
        delay = decision.delay.total_seconds() * 1000
        if decision.at is not None:
            delay = decision.at.timestamp() * 1000 - self._now
        return max(0, round(delay))

    def _targets(self, plugin: str, rule: str, names: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}
        for name in names:
            try:
                found.update(dict.fromkeys(self._resolve(name)))
            except ValueError:
                self._trace.note(plugin, rule, "error", f"{name} is not in [chats]")
        return list(found)

    def _add(
        self,
        plugin: str,
        rule: str,
        kind: DeliveryKind,
        account: str,
        chat: str,
        body: bytes | None,
        delay: int,
    ) -> None:
        ordinal = self._ordinals[plugin, rule]
        self._ordinals[plugin, rule] += 1
        self._deliveries.append(NewDelivery(plugin, rule, ordinal, kind, account, chat, body, delay))
