"""Calls of handlers: bounded in time and number, and none of them trusted to end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from types import coroutine
from typing import Any, cast

import structlog

from relay.authoring.handlers import Handler
from relay.authoring.plugin import Context, Plugin
from relay.errors import RelayError
from relay.routing.belongings import Belongings, interrupt
from relay.routing.blackbox import BlackBox
from relay.routing.loader import Loaded

log = structlog.get_logger("relay.calls")

MOST_LEFT = 16  # calls of one plugin that may outlive their time limit before it is called no more
SLOW = 0.25  # seconds after which a call counts as slow
MOST_SLOW = {True: 256, False: 32}  # slow calls of one plugin at once: of async handlers, of plain ones
STUCK = 30.0  # seconds without any end among the calls left behind, after which only a new process helps


class LateError(Exception):
    """The handler did not end within its time limit."""


class _OverdueError(BaseException):
    """What a plain function is interrupted with; no `except Exception` of its own keeps it running."""


class ExhaustedError(RelayError):
    """The process cannot run handlers any more; a new one can."""


_Outcome = tuple[object, BaseException | None]


@dataclass(frozen=True, slots=True)
class Call:
    """One handler and what it is called for: `number` is the message's, or below 0 that of an occasion.

    `given` is what the handler gets before its context, and `about` what it is called for, in the words of
    the log.
    """

    number: int
    loaded: Loaded
    handler: Handler
    given: tuple[object, ...]
    ctx: Context
    about: str

    @property
    def told(self) -> dict[str, str]:
        """What it is called for, as a field of the log."""
        return {"message" if self.number >= 0 else "occasion": self.about}

    @property
    def what(self) -> str:
        """What runs, in the words of log and trace."""
        return f"{self.loaded.name}.{self.handler.name}"


@dataclass(slots=True)
class _Running:
    """The calls of one plugin that have not ended: since when they run, and which are beyond their time."""

    since: dict[asyncio.Task[object], float] = field(default_factory=dict)
    left: set[asyncio.Task[object]] = field(default_factory=set)
    ended_at: float = 0.0

    def slow(self, now: float) -> int:
        return sum(1 for since in self.since.values() if now - since > SLOW)


_WITHIN: contextvars.ContextVar[Call] = contextvars.ContextVar("relay.call")  #: the call whose code runs


class Calls:
    """Every call of any handler that this process makes."""

    def __init__(self, box: BlackBox | None = None) -> None:
        self.box = box or BlackBox()
        self.belongings = Belongings()
        self._plugins: dict[Plugin, _Running] = {}
        self._threads: dict[asyncio.Task[object], threading.Thread] = {}
        self._adopts = False

    async def result(self, call: Call) -> object:
        """What the handler returns; `LateError` after its time, even if it will not be stopped.

        `ExhaustedError` where neither this nor any later call could be made.
        """
        running = self._plugins.get(call.loaded.plugin)
        if running is None:
            running = self._plugins[call.loaded.plugin] = _Running()
        if running.left or running.since:
            self._refuse(call, running)
        if not self._adopts:
            self._adopt_all(asyncio.get_running_loop())
        begun = time.monotonic()
        started = _Started(self._run(call), call)
        if started.over:
            return started.result()
        return await self._wait(call, running, started.task, begun)

    async def _wait(self, call: Call, running: _Running, task: asyncio.Task[object], begun: float) -> object:
        """What a call that goes on returns, if it does so in time."""
        running.since[task] = asyncio.get_running_loop().time()
        try:
            left = call.loaded.timeout / 1000 - (time.monotonic() - begun)
            await asyncio.wait({task}, timeout=max(left, 0))
        finally:
            del running.since[task]
            if not task.done():
                self._leave(call, running, task)
        if not task.done():
            raise LateError(f"took longer than {call.loaded.timeout} ms")
        if task.cancelled():
            raise RuntimeError("the handler cancelled itself")
        return task.result()

    async def end(self, plugin: Plugin) -> list[str]:
        """End all that this version of a plugin has set going; what refuses to end is named."""
        running = self._plugins.pop(plugin, _Running())
        for task in [*running.since, *running.left]:
            self.belongings.task(plugin, task)
        await self.belongings.end(plugin)
        return self.belongings.left(plugin)

    def _adopt_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Know from now on whose the tasks and timers of this loop are."""
        self._adopts = True
        loop.set_task_factory(self._adopt)
        for name in ("call_later", "call_at"):
            setattr(loop, name, self._timing(getattr(loop, name)))

    def _timing(self, make: Callable[..., asyncio.TimerHandle]) -> Callable[..., asyncio.TimerHandle]:
        def timed(when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            handle = make(when, callback, *args, context=context)
            call = _WITHIN.get(None) if context is None else context.get(_WITHIN)
            if call is not None:
                self.belongings.timer(call.loaded.plugin, handle)
            return handle

        return timed

    def _adopt(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        """Make a task; one that a handler asks for is put on record like the handler itself."""
        context = more.get("context")
        call = _WITHIN.get(None) if context is None else context.get(_WITHIN)
        if call is not None and asyncio.iscoroutine(work):
            work = self.box.steps(call.number, call.what, work)
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        if call is not None:
            self.belongings.task(call.loaded.plugin, task)
        return task

    def _refuse(self, call: Call, running: _Running) -> None:
        """Raise where calls of this plugin pile up: they would take everybody's memory and turn."""
        now = asyncio.get_running_loop().time()
        if len(running.left) >= MOST_LEFT:
            if now - running.ended_at > STUCK:
                raise ExhaustedError(f"{len(running.left)} calls of {call.loaded.name} do not end")
            raise LateError(f"was not called: {len(running.left)} earlier calls still run")
        most = MOST_SLOW[call.handler.is_async]
        if len(running.since) >= most and running.slow(now) >= most:
            raise LateError(f"was not called: {most} others take long")

    def _leave(self, call: Call, running: _Running, task: asyncio.Task[object]) -> None:
        """Go on without it."""
        if not running.left:
            running.ended_at = asyncio.get_running_loop().time()
        running.left.add(task)
        task.add_done_callback(lambda ended: _forget(ended, running))
        if task in self._threads:
            interrupt(self._threads[task], _OverdueError)  # its loop would slow every other one down for good
        else:
            task.cancel()

    async def _run(self, call: Call) -> object:
        try:
            if call.handler.is_async:
                work = call.handler.function(*call.given, call.ctx)
                return await self.box.steps(call.number, call.what, work)
            return await self._in_thread(call)
        except (SystemExit, KeyboardInterrupt) as exc:  # asyncio would end the whole process with it
            raise RuntimeError("the handler wanted to end the process") from exc

    async def _in_thread(self, call: Call) -> object:
        """Run a plain function in a thread of its own: one that hangs holds up neither others nor the end."""
        loop, task = asyncio.get_running_loop(), cast("asyncio.Task[object]", asyncio.current_task())
        ended: asyncio.Future[_Outcome] = loop.create_future()

        def settle(outcome: _Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        def tell(outcome: _Outcome) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

        def work() -> None:
            try:
                tell(self._outcome(call))
            except _OverdueError as exc:  # it fell between these lines, and there is only one
                tell((None, exc))

        self._threads[task] = _start(work)
        try:
            result, error = await ended
        finally:
            del self._threads[task]
        if error is not None:
            raise error
        return result

    def _outcome(self, call: Call) -> _Outcome:
        try:
            with self.box.running(call.number, call.what), self.box.blocking.thread(call.what):
                return call.handler.function(*call.given, call.ctx), None
        except BaseException as exc:  # noqa: BLE001 - handed to whoever awaits the call
            return None, exc


class _Started:
    """A call whose first step was taken at once: most handlers need no other, and the loop no turn for them.

    The step is that of the task which takes the others, so that what asks for the current task, such as
    `asyncio.timeout`, gets the one that goes on; once all is done, that task has nothing left to do.
    """

    __slots__ = ("_awaited", "_error", "_result", "_work", "over", "task")

    def __init__(self, work: Coroutine[Any, Any, object], call: Call) -> None:
        loop = asyncio.get_running_loop()
        own = contextvars.copy_context()
        self.over = False
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None
        self.task = loop.create_task(self._others(), context=own)
        own.run(_WITHIN.set, call)
        around = asyncio.current_task()
        if around is not None:
            _leave_task(loop, around)
        _enter_task(loop, self.task)
        try:
            self._awaited = own.run(work.send, None)
        except StopIteration as end:
            self.over, self._result = True, end.value
        except BaseException as exc:  # noqa: BLE001 - raised by `result`, for whoever made the call
            self.over, self._error = True, exc
        finally:
            _leave_task(loop, self.task)
            if around is not None:
                _enter_task(loop, around)

    def result(self) -> object:
        """What came of a call that is over."""
        if isinstance(self._error, asyncio.CancelledError):
            raise RuntimeError("the handler cancelled itself")
        if self._error is not None:
            raise self._error
        return self._result

    async def _others(self) -> object:
        """Every step but the first."""
        return None if self.over else await self._go_on()

    @coroutine
    def _go_on(self) -> Generator[Any, Any, object]:
        awaited = self._awaited
        while True:
            try:
                yield awaited
                break
            except BaseException as exc:  # noqa: BLE001 - handed on: `work` is who it was meant for
                try:
                    awaited = self._work.throw(exc)
                except StopIteration as end:
                    return cast(object, end.value)
        return (yield from self._work.__await__())


def _start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="relay-handler", daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError) as exc:
        raise ExhaustedError("no thread can be started") from exc
    return thread


def _forget(task: asyncio.Task[object], running: _Running) -> None:
    """Take note of how a call ended that nobody waits for, or asyncio would complain."""
    running.left.discard(task)
    running.ended_at = task.get_loop().time()
    if not task.cancelled():
        task.exception()
