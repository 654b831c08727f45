"""A process of its own that takes messages that were stored through one configuration."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import mmap
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from relay import log as logging
from relay.bounds import confine
from relay.cli import replay_texts
from relay.clock import SystemClock
from relay.config import Config
from relay.errors import Problem, RefusalError, RelayError, StorageError
from relay.language import Text
from relay.operating.replay import TIMED_OUT, Outcome, PastClock, Replay, outcomes_then
from relay.roles import Loading, build_pipeline, load_plugins
from relay.routing.blackbox import SLOT, SLOTS, BlackBox
from relay.store.sqlite.rehearsing import RehearsedStore
from relay.store.values import Span, StoredMessage, Wanted

T = TypeVar("T")

STRETCH = 200  # messages told at once
PATIENCE = 10  # seconds beyond all time limits of one message, after which the kernel ends the process


@dataclass(frozen=True, slots=True)
class Ready:
    """The plugins are loaded: which failed, and whether one wants to see what our staff say."""

    problems: tuple[Problem, ...]
    failed: tuple[tuple[str, str], ...]
    own: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Messages that have been taken through, and what came of them; no messages: that was all."""

    ids: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    failures: Counter[tuple[str, str]]
    late: tuple[Outcome, ...] = ()  #: of questions that waited in vain meanwhile


@dataclass(frozen=True, slots=True)
class Refused:
    """It could not do as asked."""

    error: Text
    hint: Text | None


class Understudy:
    """One configuration over the messages of a database, in a copy of this process."""

    def __init__(self, config: Config, database: Path, *, recorded: bool = False) -> None:
        """`recorded`: tells what was decided then, and loads no plugins."""
        self._memory = mmap.mmap(-1, SLOTS * SLOT.size)
        self._pipe, theirs = Pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self._pid = os.fork()  # no thread runs in a command by now
        if not self._pid:
            self._pipe.close()
            _perform(config, database, theirs, self._memory, recorded=recorded)
        theirs.close()

    def ready(self) -> Ready:
        """What became of its plugins; `RefusalError` where it died over them."""
        told = self._heard()
        assert isinstance(told, Ready)  # noqa: S101 - that is told first
        return told

    def begin(self, wanted: Wanted, span: Span) -> None:
        """Let it go through these messages."""
        with contextlib.suppress(OSError):  # it is gone, and the next question will tell
            self._pipe.send((wanted, span))

    def part(self) -> Part:
        """The next stretch; `RefusalError` where it died, or hung, over a message."""
        told = self._heard()
        assert isinstance(told, Part)  # noqa: S101 - nothing else is told now
        return told

    def _heard(self) -> object:
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        if isinstance(told, Refused):
            raise RefusalError(told.error, told.hint, exit_code=1)
        return told

    def _lost(self) -> RefusalError:
        """What to say of its death."""
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._pid = 0
        ended = BlackBox(self._memory).ending
        message = next(iter(ended.in_hand), 0)
        hung = status == -signal.SIGALRM
        how = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        name = f"m{message}" if message >= 0 else "timeout"
        values = {"id": name, "plugin": ended.what(message) or "?", "how": how}
        return RefusalError(
            replay_texts.REPLAY_HUNG if hung else replay_texts.REPLAY_DIED,
            replay_texts.REPLAY_DIED_HINT if message > 0 else None,
            values,
            exit_code=1,
        )

    def end(self) -> None:
        """Make sure that it is gone, with all that its plugins have started."""
        self._pipe.close()
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # it may not have had a group yet
            os.waitpid(self._pid, 0)
            self._pid = 0


# -- in the other process ----------------------------------------------------------


def _perform(
    config: Config, database: Path, pipe: Connection, memory: mmap.mmap, *, recorded: bool
) -> NoReturn:
    try:
        os.setsid()  # Ctrl-C is for whoever started it
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _silence()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        asyncio.run(_recall(database, pipe) if recorded else _rehearse(config, database, pipe, memory))
    except RelayError as exc:
        with contextlib.suppress(Exception):
            pipe.send(_refused(exc))
    except BaseException:  # noqa: BLE001 - whoever listens hears that the pipe closes
        os._exit(1)
    os._exit(0)


def _refused(exc: RelayError) -> Refused:
    if not isinstance(exc, StorageError | RefusalError):
        return Refused(_literal(str(exc), str(exc)), None)
    zh, en = exc.told("zh"), exc.told("en")
    hint = _literal(zh["hint"] or "", en["hint"] or "") if en["hint"] else None
    return Refused(_literal(zh["error"] or "", en["error"] or ""), hint)


def _literal(zh: str, en: str) -> Text:
    """A text in which nothing is filled in any more."""
    return Text(*(each.replace("{", "{{").replace("}", "}}") for each in (zh, en)))


def _silence() -> None:
    """What plugins print about a hundred thousand messages is for nobody."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.stdout = sys.stderr = os.fdopen(nothing, "w", encoding="utf-8")
    logging.configure("critical", colour=False, secrets=(), json=True)


async def _rehearse(config: Config, database: Path, pipe: Connection, memory: mmap.mmap) -> None:
    confine(config.plugins.memory_limit)
    clock, box = PastClock(), BlackBox(memory)
    loading = load_plugins(config)
    store = RehearsedStore(database, clock)
    pipeline = build_pipeline(config, store, clock, loading.loaded, box, aging=SystemClock())
    pipe.send(_ready(config, loading, own=pipeline.includes_own))
    wanted, span = pipe.recv()
    await store.begin_before(wanted.since)
    replay = Replay(config, store, pipeline, clock)
    limit = PATIENCE + sum(len(each.plugin.handlers) * each.timeout for each in loading.loaded) // 1000
    stage = _Stage(replay, box, limit)
    async for messages in _stretches(store, wanted, span):
        for each in messages:
            await stage.take(each)
        _tell(pipe, messages, stage)
    await stage.time_out(SystemClock().now())
    _tell(pipe, (), stage)


class _Stage:
    """Messages in their turn, with the time-outs between them, and what came of them since that was told."""

    def __init__(self, replay: Replay, box: BlackBox, limit: int) -> None:
        self.replay = replay
        self.outcomes: list[Outcome] = []
        self.late: list[Outcome] = []
        self._box = box
        self._limit = limit

    async def take(self, message: StoredMessage) -> None:
        """First what was over by then, then the message."""
        if self.replay.talks:
            await self.time_out(message.received_at, message)
        outcome = await self._within(message.id, self.replay.take(message))
        self.outcomes += () if outcome is None else (outcome,)

    async def time_out(self, moment: int, said: StoredMessage | None = None) -> None:
        """Whatever waited in vain until this moment; what that asks anew may do so, too."""
        while (over := await self.replay.over(moment, said)) is not None:
            outcome = await self._within(-over.id, self.replay.time_out(over))
            self.late += () if outcome is None else (outcome,)

    async def _within(self, number: int, work: Coroutine[Any, Any, T]) -> T:
        signal.alarm(self._limit)  # the kernel's doing: no loop of a plugin's is too busy for it
        self._box.take([number])
        done = await work
        self._box.drop(number)
        return done


def _ready(config: Config, loading: Loading, *, own: bool) -> Ready:
    failed = tuple((found.name, error.told(config.bot.language)) for found, error in loading.failed)
    return Ready(tuple(loading.problems), failed, own)


async def _recall(database: Path, pipe: Connection) -> None:
    store = RehearsedStore(database, PastClock())
    pipe.send(Ready((), (), own=False))
    wanted, span = pipe.recv()
    async for messages in _stretches(store, wanted, span):
        ids = [each.id for each in messages]
        outcomes = outcomes_then(messages, await store.decided(ids))
        late = outcomes_then(messages, await store.decided_afterwards(ids), TIMED_OUT)
        pipe.send(Part(tuple(ids), tuple(outcomes), Counter(), tuple(late)))
    pipe.send(Part((), (), Counter()))


async def _stretches(
    store: RehearsedStore, wanted: Wanted, span: Span
) -> AsyncIterator[Sequence[StoredMessage]]:
    after = -1
    while after:
        messages, after = await store.stretch(wanted, span, after, STRETCH)
        if messages:
            yield messages


def _tell(pipe: Connection, messages: Sequence[StoredMessage], stage: _Stage) -> None:
    """These are done; the last part has none, and what came of questions at the very end."""
    ids = tuple(each.id for each in messages)
    pipe.send(Part(ids, tuple(stage.outcomes), stage.replay.failures, tuple(stage.late)))
    stage.outcomes, stage.late = [], []
    stage.replay.failures = Counter()
