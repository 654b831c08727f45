"""A message in, decisions out: every plugin has its say, and none can spoil another's."""

from __future__ import annotations

import asyncio
import contextlib
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

MOST_LEFT = 16  # calls of one plugin that may outlive their time limit before it is called no more

Resolve = Callable[[str], tuple[str, ...]]  # a name of [chats] or a wxid → wxids; ValueError when unknown


class _LateError(Exception):
    """The handler did not end within its time limit."""


class Pipeline:
    """The plugins in their order, over which messages run one by one or side by side."""

    def __init__(self, plugins: Sequence[Loaded], clock: Clock, zone: dt.tzinfo, resolve: Resolve) -> None:
        self._plugins = tuple(plugins)
        self._clock = clock
        self._zone = zone
        self._resolve = resolve
        self._left: dict[str, set[asyncio.Task[object]]] = {each.name: set() for each in self._plugins}

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Routing:
        """Ask every handler, and return state, trace and deliveries of message `number`."""
        trace = Trace()
        outbox = _Outbox(message, self._resolve, self._clock.now())
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
            elif await self._call(loaded, handler, message, outbox, trace, dry_run):
                return True
        return False

    async def _call(
        self,
        loaded: Loaded,
        handler: Handler,
        message: Message,
        outbox: _Outbox,
        trace: Trace,
        dry_run: bool,
    ) -> bool:
        """Let one handler decide: all that it decided counts, or with an error nothing of it."""
        own = Trace()
        now = dt.datetime.fromtimestamp(self._clock.now() / 1000, self._zone)
        plugin_log = structlog.get_logger(f"plugin.{loaded.name}")
        ctx = Context(loaded.settings, plugin_log, now, loaded.name, own, dry_run)
        try:
            decisions = _decisions(await self._result(loaded, handler, message, ctx))
            stopped = outbox.take(loaded.name, decisions, own)
        except _LateError as exc:
            trace.note(loaded.name, "", "error", f"{handler.name} {exc}")
            log.warning("handler_timed_out", plugin=loaded.name, handler=handler.name, message=message.id)
            return False
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
            return False
        if not decisions and not own.lines:
            own.note(loaded.name, "", "no", f"{handler.name} decided nothing")
        trace.add(own)
        return stopped

    async def _result(self, loaded: Loaded, handler: Handler, message: Message, ctx: Context) -> object:
        """What the handler returns; `_LateError` after its time, even if it will not be stopped."""
        left = self._left[loaded.name]
        if len(left) >= MOST_LEFT:
            raise _LateError(f"was not called: {len(left)} earlier calls still run")
        call = asyncio.create_task(_run(handler, message, ctx))
        try:
            await asyncio.wait({call}, timeout=loaded.timeout / 1000)
        finally:
            if not call.done():
                left.add(call)
                call.add_done_callback(left.discard)
                call.add_done_callback(_forget)
                if handler.is_async:  # a thread cannot be stopped, only waited for
                    call.cancel()
        if not call.done():
            raise _LateError(f"took longer than {loaded.timeout} ms")
        if call.cancelled():
            raise RuntimeError("the handler cancelled itself")
        return call.result()


def _forget(call: asyncio.Task[object]) -> None:
    """Take note of how a call ended that nobody waits for, or asyncio would complain."""
    if not call.cancelled():
        call.exception()


async def _run(handler: Handler, message: Message, ctx: Context) -> object:
    try:
        if handler.is_async:
            return await handler.function(message, ctx)
        return await _in_thread(handler.function, message, ctx)
    except SystemExit as exc:  # asyncio would end the whole process with it
        raise RuntimeError("the handler wanted to end the process") from exc


async def _in_thread(function: Callable[..., object], *args: object) -> object:
    """Run a plain function in a thread of its own: one that hangs holds up neither others nor the exit."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[object, BaseException | None]] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((result, error))

    def work() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as exc:  # noqa: BLE001 - handed to whoever awaits the future
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="relay-handler", daemon=True).start()
    result, error = await ended
    if error is not None:
        raise error
    return result


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

    def __init__(self, message: Message, resolve: Resolve, now: int) -> None:
        self._message = message
        self._resolve = resolve
        self._now = now
        self._forwarded: dict[str, str] = {}
        self._ordinals: Counter[tuple[str, str]] = Counter()
        self._deliveries: list[NewDelivery] = []

    @property
    def deliveries(self) -> tuple[NewDelivery, ...]:
        return tuple(self._deliveries)

    def take(self, plugin: str, decisions: Iterable[Decision], trace: Trace) -> bool:
        """Add what was decided, in order; true when one of the decisions is to stop.

        All of it or, where a part cannot be stored or sent, nothing, and the error is raised.
        """
        before = dict(self._forwarded), self._ordinals.copy(), list(self._deliveries)
        try:
            return [self._add(plugin, decision, trace) for decision in decisions].count(True) > 0
        except BaseException:
            self._forwarded, self._ordinals, self._deliveries = before
            raise

    def _add(self, plugin: str, decision: Decision, trace: Trace) -> bool:
        _storable(decision.rule)
        match decision:
            case Stop():
                trace.note(plugin, decision.rule, "stop", "later rules and plugins do not see it")
                return True
            case Forward():
                self._forward(plugin, decision, trace)
            case Reply():
                self._send(plugin, decision, (self._message.chat,), "", "reply", trace)
            case Send():
                chats = self._targets(plugin, decision.rule, (decision.chat,), trace)
                self._send(plugin, decision, chats, _storable(decision.account), "send", trace)
        return False

    def _forward(self, plugin: str, decision: Forward, trace: Trace) -> None:
        found = self._targets(plugin, decision.rule, decision.to, trace)
        targets = [chat for chat in found if chat != self._message.chat]
        new = [chat for chat in targets if chat not in self._forwarded]
        for chat in targets:
            if chat in self._forwarded:
                trace.note(plugin, decision.rule, "no", f"{chat} gets it by {self._forwarded[chat]} already")
        for chat in new:
            self._forwarded[chat] = f"{plugin} {decision.rule}".strip()
            self._queue(plugin, decision.rule, DeliveryKind.FORWARD, self._message.account, chat, None, 0)
        if new:
            trace.note(plugin, decision.rule, "forward", "to " + ", ".join(new))
        elif not targets:
            trace.note(plugin, decision.rule, "no", "no other chat to forward to")

    def _send(
        self,
        plugin: str,
        decision: Reply | Send,
        chats: Iterable[str],
        account: str,
        word: str,
        trace: Trace,
    ) -> None:
        delay = self._delay(decision)
        for chat in chats:
            for outgoing in decision.messages:
                by = account or self._message.account
                self._queue(plugin, decision.rule, DeliveryKind.SEND, by, chat, outgoing.body(), delay)
            trace.note(plugin, decision.rule, word, f"{len(decision.messages)} to {chat}")

    def _delay(self, decision: Reply | Send) -> int:
        delay = decision.delay.total_seconds() * 1000
        if decision.at is not None:
            delay = decision.at.timestamp() * 1000 - self._now
        return max(0, round(delay))

    def _targets(self, plugin: str, rule: str, names: Iterable[str], trace: Trace) -> list[str]:
        found: dict[str, None] = {}
        for name in names:
            try:
                found.update(dict.fromkeys(self._resolve(_storable(name))))
            except ValueError:
                trace.note(plugin, rule, "error", f"{name} is not in [chats]")
        return list(found)

    def _queue(
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


def _storable(text: object) -> str:
    """The text itself; `TypeError` or `ValueError` for what the database could not hold."""
    if not isinstance(text, str):
        raise TypeError(f"a decision names things by strings, not by {type(text).__name__}")
    text.encode()
    return text
