"""What ran when the process ended, in memory that outlives it: so it is known what killed the process."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import struct
from collections.abc import Coroutine, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import structlog

from relay.routing.blocking import Blocking

log = structlog.get_logger("relay.blackbox")

T = TypeVar("T")

SLOTS = 2048  # messages in hand at once; one that finds no slot counts as unknown, hence suspect
WORDS = 48  # bytes for what ran: plugin and handler
SLOT = struct.Struct(f"<qq{WORDS}s")  # message, since when it runs (0: it waits), what
RUNS = struct.Struct(f"<q{WORDS}s")
Run = tuple[int, bytes]
WAITS: Run = (0, b"")  # what stands there while nothing runs


@dataclass(frozen=True, slots=True)
class Ending:
    """How an earlier process ended: what it had in hand, and what of that ran, in the order begun."""

    in_hand: frozenset[int] = frozenset()
    ran: tuple[tuple[int, str], ...] = ()

    def what(self, message: int) -> str:
        """What of this message ran: `plugin.handler`, or nothing."""
        return dict(self.ran).get(message, "")


class Sentinel:
    """A file that only we have to do with: who closes it has closed them all, and the loop would hang."""

    def __init__(self) -> None:
        self._file, other = os.pipe()
        os.close(other)
        self._is = self._found()

    def gone(self) -> bool:
        """Whether it was closed, and its number perhaps given to another file."""
        try:
            return self._found() != self._is
        except OSError:
            return True

    def _found(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_dev, found.st_ino


class BlackBox:
    """One slot for each message in hand, which says whether code for it runs at this moment.

    The memory is a file's, so it is there after any death of the process but a power cut. That no
    handler runs between its steps is what makes it exact: of all that is in hand, one runs on the loop.
    """

    def __init__(self, memory: mmap.mmap | bytearray | None = None, sentinel: Sentinel | None = None) -> None:
        self._memory = bytearray(SLOTS * SLOT.size) if memory is None else memory
        self.ending = _ending(self._memory)
        self._memory[:] = bytes(len(self._memory))
        self._free = list(range(0, SLOTS * SLOT.size, SLOT.size))
        self._slots: dict[int, int] = {}
        self._serial = itertools.count(1)
        self._sentinel = sentinel
        self.blocking = Blocking()

    @classmethod
    def beside(cls, database: Path) -> BlackBox:
        """That of this database's router; without room on the disk, one that ends with the process.

        It reads how the last router ended and begins anew: only for who holds the router's lock.
        """
        try:
            return cls(_shared(database.with_name(database.name + ".router")), Sentinel())
        except OSError as exc:
            log.warning("black_box_forgets", error=str(exc))
            return cls()

    def take(self, messages: Iterable[int]) -> None:
        """These are in hand from now on."""
        for message in messages:
            if self._free and message not in self._slots:
                at = self._slots[message] = self._free.pop()
                SLOT.pack_into(self._memory, at, message, 0, b"")

    def drop(self, message: int) -> None:
        """It is in hand no more."""
        at = self._slots.pop(message, None)
        if at is not None:
            SLOT.pack_into(self._memory, at, 0, 0, b"")
            self._free.append(at)

    def running(self, message: int, what: str) -> _Block:
        """Code for this message runs within the block, in whichever thread."""
        return _Block(self, message, what.encode("utf-8", "replace"))

    def steps(self, message: int, what: str, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """The same work; each of its steps is on record while it runs, and no longer.

        The first may be taken within a step of the same message, which is on record again after it.
        """
        return _Recorded(self, message, what.encode("utf-8", "replace"), work)

    def blame(self, message: int, what: str) -> None:
        """Its doing ends the process: so it stays on record, whatever is dropped meanwhile."""
        at = self._slots.pop(message, None)
        if at is not None:
            RUNS.pack_into(self._memory, at + 8, next(self._serial), what.encode("utf-8", "replace"))

    def clear(self) -> None:
        """The process ends in good order, and what it had in hand was given back."""
        self._memory[:] = bytes(len(self._memory))

    def begin(self, message: int, what: bytes) -> Run | None:
        """Put on record what runs; comes back what was on record, or None where it has no slot."""
        at = self._slots.get(message)
        if at is None:  # its call may outlive it, and the slot be another's
            return None
        before: Run = RUNS.unpack_from(self._memory, at + 8)
        RUNS.pack_into(self._memory, at + 8, next(self._serial), what)
        return before

    def end(self, message: int, before: Run | None) -> None:
        """It does not run any more; if it closed our files, it stays on record, and the process ends."""
        if self._sentinel is not None and self._sentinel.gone():
            with contextlib.suppress(Exception):  # the log may be among them
                log.critical("files_closed", message=f"m{message}")
            os._exit(1)
        at = self._slots.get(message)
        if at is not None and before is not None:
            RUNS.pack_into(self._memory, at + 8, *before)


class _Block:
    """What runs between its two ends, put on record."""

    __slots__ = ("_around", "_box", "_message", "_what")

    def __init__(self, box: BlackBox, message: int, what: bytes) -> None:
        self._box = box
        self._message = message
        self._what = what

    def __enter__(self) -> None:
        self._around = self._box.begin(self._message, self._what)

    def __exit__(self, *_: object) -> None:
        self._box.end(self._message, self._around)


class _Recorded(Coroutine[Any, Any, T]):
    """A coroutine whose steps are put on record."""

    __slots__ = ("_begun", "_box", "_message", "_what", "work")

    def __init__(self, box: BlackBox, message: int, what: bytes, work: Coroutine[Any, Any, T]) -> None:
        self._box = box
        self._message = message
        self._what = what
        self.work = work
        self._begun = False

    def send(self, value: Any) -> Any:
        """Take the next step."""
        around, begun = self._around(), monotonic()
        try:
            return self.work.send(value)
        finally:
            self._box.end(self._message, around)
            self._box.blocking.step(self._what, begun, monotonic())

    def throw(self, *error: Any) -> Any:
        """Take it with an error."""
        around, begun = self._around(), monotonic()
        try:
            return self.work.throw(*error)
        finally:
            self._box.end(self._message, around)
            self._box.blocking.step(self._what, begun, monotonic())

    def close(self) -> None:
        """Take no more."""
        self.work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return _in_steps(self)

    def _around(self) -> Run | None:
        before = self._box.begin(self._message, self._what)
        first, self._begun = not self._begun, True
        return before if first or before is None else WAITS


def _in_steps(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await it by its own `send`, `throw` and `close`, which `yield from` finds in what is an iterator."""
    step, given = work.send, None
    while True:
        try:
            awaited = step(given)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            step, given = work.send, (yield awaited)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as exc:  # noqa: BLE001 - handed on: `work` is who it was meant for
            step, given = work.throw, exc


def _shared(path: Path) -> mmap.mmap:
    """Memory that is the file's; raises OSError now, so that no full disk can raise SIGBUS later."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        missing = SLOTS * SLOT.size - os.fstat(file).st_size
        if missing > 0:
            os.pwrite(file, bytes(missing), SLOTS * SLOT.size - missing)
        return mmap.mmap(file, SLOTS * SLOT.size)
    finally:
        os.close(file)


def _ending(memory: mmap.mmap | bytearray) -> Ending:
    slots = [slot for slot in SLOT.iter_unpack(memory) if slot[0]]
    ran = sorted((began, message, what) for message, began, what in slots if began)
    return Ending(
        frozenset(slot[0] for slot in slots),
        tuple((message, what.rstrip(b"\0").decode("utf-8", "ignore")) for _, message, what in ran),
    )
