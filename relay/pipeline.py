"""A message in, decisions out: every plugin has its say, and none can spoil another's."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from relay.clock import Clock
from relay.decisions import Decision, Forward, Reply, Send, Stop
from relay.loader import Loaded
from relay.message import Message
from relay.names import Names
from relay.outbox import Outbox, Resolve
from relay.plugin import Context, Handler
from relay.state import StateBook
from relay.store.states import MessageState
from relay.store.values import Routing
from relay.trace import Trace

log = structlog.get_logger("relay.pipeline")

MOST_LEFT = 16  # calls of one plugin that may outlive their time limit before it is called no more


@dataclass(frozen=True, slots=True)
class Memory:
    """What handlers can look up: what plugins remember, and what people and chats are called."""

    book: StateBook
    names: Names


class _LateError(Exception):
    """The handler did not end within its time limit."""


class Pipeline:
    """The plugins in their order, over which messages run one by one or side by side."""

    def __init__(
        self, plugins: Sequence[Loaded], clock: Clock, zone: dt.tzinfo, resolve: Resolve, memory: Memory
    ) -> None:
        self._plugins = tuple(plugins)
        self._clock = clock
        self._zone = zone
        self._resolve = resolve
        self._memory = memory
        self._left: dict[str, set[asyncio.Task[object]]] = {each.name: set() for each in self._plugins}

    @property
    def includes_own(self) -> bool:
        """Whether any handler wants to see what staff type on our accounts' phones."""
        return any(
            handler.wants_own(loaded.settings)
            for loaded in self._plugins
            for handler in loaded.plugin.handlers
        )

    def stored(self, routing: Routing) -> None:
        """Tell that what came of a message is on disk, or will never be."""
        self._memory.book.settle(routing.changes)

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Routing:
        """Ask every handler, and return state, trace and deliveries of message `number`."""
        trace = Trace()
        await self._memory.names.learn((message.sender, message.chat, message.account))
        outbox = Outbox(message, self._resolve, self._clock.now())
        for loaded in self._plugins:
            if await self._ask(loaded, message, outbox, trace, dry_run):
                break
        return Routing(
            number, MessageState.ROUTED, None, trace.lines, outbox.deliveries, tuple(outbox.changes)
        )

    async def _ask(
        self, loaded: Loaded, message: Message, outbox: Outbox, trace: Trace, dry_run: bool
    ) -> bool:
        """True when the plugin stopped the message."""
        for handler in loaded.plugin.handlers:
            if (refusal := handler.refuses(message, loaded.settings)) is not None:
                trace.note(loaded.name, "", "no", refusal)
            elif await self._call(loaded, handler, message, outbox, trace, dry_run):
                return True
        return False

    async def _call(
        self,
        loaded: Loaded,
        handler: Handler,
        message: Message,
        outbox: Outbox,
        trace: Trace,
        dry_run: bool,
    ) -> bool:
        """Let one handler decide: all that it decided counts, or with an error nothing of it."""
        own = Trace()
        now = dt.datetime.fromtimestamp(self._clock.now() / 1000, self._zone)
        plugin_log = structlog.get_logger(f"plugin.{loaded.name}")
        page = self._memory.book.open()
        ctx = Context(
            settings=loaded.settings,
            log=plugin_log,
            now=now,
            plugin=loaded.name,
            trace=own,
            state=page.of(loaded.name),
            names=self._memory.names,
            dry_run=dry_run,
        )
        try:
            decisions = _decisions(await self._result(loaded, handler, message, ctx))
            stopped = outbox.take(loaded.name, decisions, own)
        except _LateError as exc:
            trace.note(loaded.name, "", "error", f"{handler.name} {exc}")
            log.warning("handler_timed_out", plugin=loaded.name, handler=handler.name, message=message.id)
            page.tear_out()
            return False
        except asyncio.CancelledError:  # ours: a handler's own is told as an error of its
            page.tear_out()
            raise
        except BaseException as exc:  # noqa: BLE001 - a border: logged, and in the trace
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
            page.tear_out()
            return False
        outbox.changes += page.close()
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
    except (SystemExit, KeyboardInterrupt) as exc:  # asyncio would end the whole process with it
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
