"""What became of every plugin, found out in a process of its own: whatever they do on import ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import NoReturn

from relay.bounds import confine
from relay.config import Config
from relay.errors import LostPluginError, PluginError, Problem
from relay.language import Said, Text
from relay.linting.linter import lint
from relay.linting.surroundings import Surroundings
from relay.linting.table import Table, tables_of
from relay.roles import Loading, load_plugin, look_for_plugins
from relay.routing.loader import Found, blaming

EXTRA = 5  # seconds after which the process ends by itself, should whoever waits for it be gone


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds plugins have to load: each of them, and all together."""

    each: float
    whole: float


NOT_LOADED = Text(
    "没有加载：它前面的插件 {seconds} 秒内没加载完",
    "was not loaded: the plugins before it did not finish within {seconds} s",
)
HANGS = Text("{seconds} 秒内没加载完", "does not finish loading within {seconds} s")
HANGS_HINT = Text("要等的事放进 @plugin.on_start", "put what takes its time under @plugin.on_start")
ENDS = Text("加载它的进程被它结束了（{how}）", "ends the process that loads it ({how})")
ENDS_HINT = Text("检查顶层代码和它 import 的库", "look at the code at its top, and at what it imports")

AT_A_LOOK = Patience(4, 6)
IN_FULL = Patience(20, 45)  # the supervisor waits no longer than 60


@dataclass(slots=True)
class Census:
    """The plugins that load, those that do not, and what settings have wrong."""

    loaded: list[Found] = field(default_factory=list)
    failed: list[tuple[Found, PluginError]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def advice(self, config: Config) -> list[Problem]:
        """Every warning, those about what rules and routes do together included."""
        return [*config.warnings, *self.warnings, *lint(self.tables, Surroundings.of(config))]

    def add(self, found: Found, told: _Told) -> None:
        """Take in what became of one of them."""
        self.problems += told.problems
        self.warnings += told.warnings
        self.tables += told.tables
        if told.failure is not None:
            self.failed.append((found, PluginError(*told.failure)))
        elif not told.problems:
            self.loaded.append(found)


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of one plugin, as it passes from process to process."""

    failure: tuple[Said, str | None, int | None, Said | None] | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    tables: tuple[Table, ...]


def census(config: Config, patience: Patience) -> Census:
    """Load every plugin, none in this process; one that hangs or dies is told and left out."""
    names, files = look_for_plugins(config)
    taken = Census(problems=names.problems, warnings=names.warnings)
    left = deque(files)
    until = time.monotonic() + patience.whole
    while left and time.monotonic() < until:
        with _loading(config, tuple(left), patience) as process:
            _take(taken, left, process, until)
    for found in left:
        reason = NOT_LOADED.filled(seconds=f"{patience.whole:g}")
        taken.failed.append((found, LostPluginError(reason, str(found.path))))
    return taken


def _take(taken: Census, left: deque[Found], process: _Process, until: float) -> None:
    """Hear of one plugin after the other, until all are told or the process is of no more use."""
    while left:
        try:
            told = process.told(until)
        except LostPluginError as exc:
            found = left.popleft()
            taken.failed.append((found, exc.placed(str(found.path))))
            return
        taken.add(left.popleft(), told)


class _Process:
    """A copy of this process that loads plugins and tells of each."""

    def __init__(self, pid: int, heard: Connection, each: float) -> None:
        self._pid = pid
        self._heard = heard
        self._each = each

    def told(self, until: float) -> _Told:
        """What became of the next plugin; `LostPluginError` where none comes in time, or ever."""
        seconds = max(min(self._each, until - time.monotonic()), 0)
        if not self._heard.poll(seconds):
            raise LostPluginError(HANGS.filled(seconds=f"{round(seconds, 1):g}"), hint=HANGS_HINT)
        try:
            told = self._heard.recv()
        except EOFError:
            raise LostPluginError(ENDS.filled(how=self._ending()), hint=ENDS_HINT) from None
        assert isinstance(told, _Told)  # noqa: S101 - nothing else is sent
        return told

    def _ending(self) -> str:
        """How it ended, which it has, or is about to; the pipe is closed."""
        self._heard.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._pid = 0
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def end(self) -> None:
        """Let go of it, whatever it does."""
        self._heard.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


@contextlib.contextmanager
def _loading(config: Config, files: Sequence[Found], patience: Patience) -> Iterator[_Process]:
    """Start to load these plugins beside this process."""
    heard, telling = Pipe(duplex=False)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()  # no thread runs in a command by now, and a copy has loaded all that it needs
    if not pid:
        heard.close()
        _load(config, files, telling, patience)
    telling.close()
    process = _Process(pid, heard, patience.each)
    try:
        yield process
    finally:
        process.end()


def _load(config: Config, files: Sequence[Found], telling: Connection, patience: Patience) -> NoReturn:
    """Load, tell and end; what plugins print goes to stderr, so that stdout stays readable for programs."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.alarm(int(patience.whole) + EXTRA)  # the kernel's doing: no loop is too busy for it
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        confine(config.plugins.memory_limit)
        for found in files:
            telling.send(_told(config, found))
        code = 0
    except BaseException:  # noqa: BLE001 - told, and the process ends with it
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _told(config: Config, found: Found) -> _Told:
    one = Loading()
    load_plugin(config, found, one)
    tables: tuple[Table, ...] = ()
    try:
        with blaming(found):
            tables = tuple(each for loaded in one.loaded for each in tables_of(loaded.name, loaded.settings))
    except PluginError as exc:
        one.failed.append((found, exc))
    failure = next(((error.what, error.file, error.line, error.hint) for _, error in one.failed), None)
    return _Told(failure, tuple(one.problems), tuple(one.warnings), tables)
