"""Callbacks that take long to read: their bytes are in the database meanwhile, and hold nobody else up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

import structlog

from relay.errors import StorageError
from relay.store.journal import Mark
from relay.store.protocol import Store
from relay.store.values import Aside, Callback
from relay.wire.notifications import Damage, Reading

log = structlog.get_logger("relay.large")

T = TypeVar("T")

PROMPTLY = 0.25  # seconds in which an ordinary large body is read; so long, those behind it keep their place
MOST_ATTEMPTS = 3  # a body whose reading ended the process so often is read no more

Read = Callable[[bytes], Iterator[Reading]]
Brought = Callable[[Reading, int], Callback]


class Insist(Protocol):
    """Repeats what the disk refuses."""

    def __call__(self, write: Callable[[], Awaitable[T]], /) -> Coroutine[Any, Any, T]:
        """`StorageError` only when the process ends."""


class Large:
    """Reads the large bodies of one journal one at a time, a part at a time, in a thread."""

    def __init__(self, store: Store, journal: str, read: Read, brought: Brought, insist: Insist) -> None:
        """`brought` makes of a part what is to be kept of it, as received when the body was."""
        self._store = store
        self._journal = journal
        self._read = read
        self._brought = brought
        self._insist = insist
        self._reading: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether bodies are being read."""
        return self._reading is not None and not self._reading.done()

    async def keep(self, body: bytes, received_at: int, mark: Mark) -> None:
        """Return once all that a body brought is in the database, or its bytes are, to be read later."""
        first = not self.busy
        await self._insist(lambda: self._store.put_aside(body, received_at, mark, self._journal))
        self.resume()
        if first and self._reading is not None:
            await asyncio.wait({self._reading}, timeout=PROMPTLY)

    def resume(self) -> None:
        """Read what was put aside, also by a process that ended over it."""
        if not self.busy:
            self._reading = asyncio.create_task(self._work_off())
            self._reading.add_done_callback(_forget)

    async def done(self) -> None:
        """Return once all that was put aside has been read."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def stop(self) -> None:
        """Read no more; what was put aside stays there."""
        if self._reading is not None:
            self._reading.cancel()

    async def _work_off(self) -> None:
        while (found := await self._insist(lambda: self._store.take_aside(self._journal))) is not None:
            await self._take(found)

    async def _take(self, aside: Aside) -> None:
        try:
            if aside.attempts > MOST_ATTEMPTS:
                raise RuntimeError("the receiver died over it")
            await self._split(aside)
        except StorageError:  # the process ends; the next one finds what was put aside
            raise
        except Exception as exc:  # noqa: BLE001 - a border: it is kept as damage
            log.error("callback_not_understood", error=type(exc).__name__, at="", bytes=len(aside.body))
            await self._keep(aside, Reading((), (Damage("internal", aside.body),), 1), aside.parts)
        await self._insist(lambda: self._store.drop_aside(aside.id))

    async def _split(self, aside: Aside) -> None:
        """Keep part after part; those that an earlier reading kept are passed over."""
        parts = self._read(aside.body)
        number = 0
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            number += 1
            if number > aside.parts:
                await self._keep(aside, part, number)

    async def _keep(self, aside: Aside, part: Reading, number: int) -> None:
        brought = self._brought(part, aside.received_at)
        await self._insist(lambda: self._store.keep_part(aside.id, brought, number))


def _forget(task: asyncio.Task[None]) -> None:
    """Take note of how a task ended that nobody waits for: what it was about is on disk."""
    with contextlib.suppress(asyncio.CancelledError):
        if (exc := task.exception()) is not None:
            log.error("callback_waits_aside", error=type(exc).__name__)
