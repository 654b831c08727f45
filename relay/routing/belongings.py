"""What a plugin has set going, tasks, timers and threads, and how all of it is ended with the plugin."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from relay.authoring.plugin import Plugin
from relay.routing.loader import module_of

PATIENCE = 2.0  # seconds that everything has to end
NUDGE = 0.1  # seconds after which what goes on is told once more


@dataclass(slots=True)
class _Owned:
    """What one version of a plugin has set going, and whether it may go on doing so."""

    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    timers: weakref.WeakSet[asyncio.Handle] = field(default_factory=weakref.WeakSet)
    over: bool = False


class Belongings:
    """Of every version of every plugin; what begins after the end of its version is ended at once."""

    def __init__(self) -> None:
        self._owned: weakref.WeakKeyDictionary[Plugin, _Owned] = weakref.WeakKeyDictionary()

    def task(self, plugin: Plugin, task: asyncio.Task[Any]) -> None:
        """This task is the plugin's."""
        owned = self._of(plugin)
        if owned.over:
            task.cancel()
        owned.tasks.add(task)
        task.add_done_callback(owned.tasks.discard)

    def timer(self, plugin: Plugin, handle: asyncio.Handle) -> None:
        """This timer is the plugin's."""
        owned = self._of(plugin)
        if owned.over:
            handle.cancel()
        owned.timers.add(handle)

    def _of(self, plugin: Plugin) -> _Owned:
        owned = self._owned.get(plugin)
        if owned is None:
            owned = self._owned[plugin] = _Owned()
        return owned

    def begin(self, plugin: Plugin) -> None:
        """What it sets going from here on may go on, though what it had set going was ended."""
        self._of(plugin).over = False

    async def end(self, plugin: Plugin, patience: float = PATIENCE) -> None:
        """Cancel its tasks and timers, and interrupt its threads, again and again until all is over."""
        owned, loop = self._of(plugin), asyncio.get_running_loop()
        owned.over = True
        until = loop.time() + patience
        while True:
            for timer in list(owned.timers):
                timer.cancel()
            owned.timers.clear()
            for task in owned.tasks:
                task.cancel()
            for thread in _threads(plugin):
                interrupt(thread, SystemExit)  # which `threading` does not complain of
            await asyncio.sleep(0)
            if not self.left(plugin) or loop.time() >= until:
                return
            await asyncio.sleep(NUDGE)

    def left(self, plugin: Plugin) -> list[str]:
        """What of it still goes on, in words for people: function, file and line."""
        tasks = [task for task in self._of(plugin).tasks if not task.done()]
        return [*map(_named_task, tasks), *map(_named_thread, _threads(plugin))]


def interrupt(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise this in a thread, if it runs Python and as soon as it does."""
    if thread.is_alive() and thread.ident is not None:
        raised = ctypes.py_object(error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), raised)


def _threads(plugin: Plugin) -> list[threading.Thread]:
    """Those that run code of its module, or were made to."""
    module = module_of(plugin)
    if module is None:
        return []
    frames = sys._current_frames()  # noqa: SLF001 - there is no other way to see what a thread runs
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
        and thread.ident is not None
        and (_of(module, _begun_as(thread)) or any(_frames(module, frames.get(thread.ident))))
    ]


def _begun_as(thread: threading.Thread) -> str:
    target = getattr(thread, "_target", None)
    return str(getattr(target, "__module__", None) or type(thread).__module__)


def _frames(module: str, frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of the module's code, the innermost first."""
    while frame is not None:
        if _of(module, str(frame.f_globals.get("__name__", ""))):
            yield frame
        frame = frame.f_back


def _of(module: str, name: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _named_task(task: asyncio.Task[Any]) -> str:
    work = getattr(task.get_coro(), "work", task.get_coro())  # the black box may be around it
    code = getattr(work, "cr_code", None)
    frame = getattr(work, "cr_frame", None)
    where = f" ({_file(code.co_filename)}:{frame.f_lineno if frame else code.co_firstlineno})" if code else ""
    return f"task {getattr(code, 'co_qualname', task.get_name())}{where}"


def _named_thread(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - as above
    target = getattr(thread, "_target", None)
    name = getattr(target, "__qualname__", None) or thread.name
    if frame is None:
        return f"thread {name}"
    info = inspect.getframeinfo(frame, context=0)
    return f"thread {name} ({_file(info.filename)}:{info.lineno})"


def _file(path: str) -> str:
    return path.rpartition("/")[2]
