"""Callbacks that take long to read: their bytes are on disk meanwhile, and no other answer is late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from relay.errors import StorageError
from relay.store.protocol import Store
from relay.wire.notifications import Damage, Reading

log = structlog.get_logger("relay.large")

T = TypeVar("T")

PROMPTLY = 0.25  # seconds in which an ordinary large body is read and written; then its bytes are put aside
MOST_ATTEMPTS = 3  # a body whose reading ended the process so often is read no more

Read = Callable[[bytes], Iterator[Reading]]
Write = Callable[[Reading, int], Awaitable[None]]


class Insist(Protocol):
    """Repeats what the disk refuses."""

    def __call__(self, write: Callable[[], Awaitable[T]], /) -> Coroutine[Any, Any, T]:
        """`StorageError` only when the process ends."""


@dataclass(slots=True, repr=False, eq=False)
class _InHand:
    """A body on its way: whether it is being read, and what puts its bytes aside meanwhile."""

    body: bytes
    received_at: int
    begun: bool = False
    aside: asyncio.Task[int] | None = None


class Large:
    """Reads large bodies one at a time, a part at a time, in a thread."""

    def __init__(self, store: Store, read: Read, write: Write, insist: Insist) -> None:
        """`write` puts a part of a body on disk, as received when the body was."""
        self._store = store
        self._read = read
        self._write = write
        self._insist = insist
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self, body: bytes, received_at: int) -> None:
        """Return once all that a body brought is on disk, or its bytes are, to be read later."""
        hand = _InHand(body, received_at)
        task = asyncio.create_task(self._take(hand))
        try:
            if (await asyncio.wait({task}, timeout=PROMPTLY))[0]:
                task.result()
                return
            hand.aside = asyncio.create_task(self._insist(lambda: self._store.put_aside(body, received_at)))
            if hand.begun:
                self._hold(task)
            else:
                task.cancel()
            await hand.aside
        except BaseException:
            task.cancel()
            raise
        if not hand.begun:
            self.resume()

    def resume(self) -> None:
        """Read what was put aside, also by a process that ended over it."""
        self._hold(asyncio.create_task(self._work_off()))

    def stop(self) -> None:
        """Read no more; what was put aside stays there."""
        for task in self._tasks:
            task.cancel()

    def _hold(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_forget)

    async def _take(self, hand: _InHand) -> None:
        async with self._one_at_a_time:
            hand.begun = True
            try:
                await self._split(hand.body, hand.received_at)
            except Exception as exc:
                if hand.aside is None:
                    raise
                await self._give_up(hand.body, hand.received_at, exc)
            if hand.aside is not None:
                await self._drop(await hand.aside)

    async def _split(self, body: bytes, received_at: int) -> None:
        parts = self._read(body)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            await self._write(part, received_at)

    async def _give_up(self, body: bytes, received_at: int, exc: Exception) -> None:
        if isinstance(exc, StorageError):  # the process ends; the next one finds what was put aside
            raise exc
        log.error("callback_not_understood", error=type(exc).__name__, at="", bytes=len(body))
        await self._write(Reading((), (Damage("internal", body),), 1), received_at)

    async def _drop(self, number: int) -> None:
        await self._insist(lambda: self._store.drop_aside(number))

    async def _work_off(self) -> None:
        more = True
        while more:
            async with self._one_at_a_time:
                more = await self._next_aside()

    async def _next_aside(self) -> bool:
        found = await self._insist(lambda: self._store.take_aside())
        if found is None:
            return False
        number, body, received_at, attempts = found
        try:
            if attempts > MOST_ATTEMPTS:
                raise RuntimeError("the receiver died over it")
            await self._split(body, received_at)
        except Exception as exc:  # noqa: BLE001 - a border: it is kept as damage
            await self._give_up(body, received_at, exc)
        await self._drop(number)
        return True


def _forget(task: asyncio.Task[None]) -> None:
    """Take note of how a task ended that nobody waits for: what it was about is on disk."""
    with contextlib.suppress(asyncio.CancelledError):
        if (exc := task.exception()) is not None:
            log.error("callback_waits_aside", error=type(exc).__name__)
