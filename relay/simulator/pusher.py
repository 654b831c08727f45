"""Callbacks: encrypted, pushed once, given one second, never repeated (platform API §1 and §3)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from relay.clock import Clock
from relay.simulator.agenda import Agenda
from relay.simulator.detours import Detours
from relay.simulator.faults import Faults
from relay.simulator.ledger import Ledger, PushRecord, PushState
from relay.wire.crypto import encrypt

LIMIT_SECONDS = 1.0
MAX_TIMEOUTS_A_DAY = 1000
_DAY = 86_400_000
_BEIJING = 8 * 3_600_000  # the platform's days are taken to begin at midnight there


class Push(Protocol):
    """A way to the receiver."""

    async def __call__(self, body: bytes) -> int:
        """POST `body` to the callback URL and give the status; ConnectionError where nobody listens."""


class NoCallbackError(ConnectionError):
    """There is no callback URL yet."""


class Pusher:
    """One ordered queue per account, each emptied by a task that lives only while it is needed."""

    def __init__(
        self,
        push: Push,
        key: bytes,
        clock: Clock,
        ledger: Ledger,
        faults: Faults,
        agenda: Agenda,
        *,
        concurrent: bool,
    ) -> None:
        self._push = push
        self._detours = Detours(faults, ledger, agenda, clock, self._queue)
        self._key = key
        self._clock = clock
        self._ledger = ledger
        self._concurrent = concurrent
        self._queues: dict[str, deque[PushRecord]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._loose: set[asyncio.Task[None]] = set()
        self._timeouts: tuple[int, int] = (0, 0)  # day, count

    @property
    def timeouts_today(self) -> int:
        """How often the receiver was too slow since midnight."""
        day, count = self._timeouts
        return count if day == self._today() else 0

    @property
    def stopped(self) -> bool:
        """Whether the platform has given up on the receiver for the rest of the day."""
        return self.timeouts_today > MAX_TIMEOUTS_A_DAY

    def add(
        self, account: str, plaintext: bytes, targets: tuple[str, ...] = (), *, echo: bool = False
    ) -> None:
        """Queue a callback about `targets`; without a running event loop it waits for `wake`."""
        self._detours.take(account, plaintext, targets, echo=echo)

    def wake(self) -> None:
        """See to it that somebody works on every queue that is not empty."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        for account, queue in self._queues.items():
            worker = self._workers.get(account)
            if queue and (worker is None or worker.done()):
                self._workers[account] = loop.create_task(self._empty(queue))

    async def ended(self, pushes: range) -> None:
        """Wait until these are over, however they end."""
        changed = asyncio.Event()
        forget = self._ledger.watch(changed.set)
        try:
            while not all(map(self._ledger.has_ended, pushes)):
                changed.clear()
                await changed.wait()
        finally:
            forget()

    async def settle(self) -> None:
        """Wait until nothing is queued; what a transport raised by mistake comes out here."""
        self.wake()
        while tasks := [*self._loose, *(task for task in self._workers.values() if not task.done())]:
            await asyncio.gather(*tasks)
            self.wake()

    async def close(self) -> None:
        """Give up what is queued."""
        for queue in self._queues.values():
            queue.clear()
        tasks = [*self._loose, *self._workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _queue(self, record: PushRecord) -> None:
        self._queues.setdefault(record.account, deque()).append(record)
        self.wake()

    async def _empty(self, queue: deque[PushRecord]) -> None:
        while queue:
            record = queue.popleft()
            if self._concurrent:
                task = asyncio.create_task(self._deliver(record))
                self._loose.add(task)
                task.add_done_callback(self._loose.discard)
            else:
                await self._deliver(record)

    async def _deliver(self, record: PushRecord) -> None:
        if self.stopped:
            self._ledger.end_push(record, PushState.STOPPED)
            return
        started = self._clock.now()
        try:
            status = await self._within_limit(encrypt(record.plaintext, self._key))
        except NoCallbackError:
            self._ledger.end_push(record, PushState.NOWHERE)
        except TimeoutError:
            self._count_timeout()
            self._ledger.end_push(record, PushState.TIMED_OUT, ms=self._clock.now() - started)
        except OSError:
            self._ledger.end_push(record, PushState.REFUSED, ms=self._clock.now() - started)
        else:
            ms = self._clock.now() - started
            self._ledger.end_push(record, PushState.ANSWERED, status, ms)

    async def _within_limit(self, body: bytes) -> int:
        answer = asyncio.ensure_future(self._push(body))
        limit = asyncio.ensure_future(self._clock.sleep(LIMIT_SECONDS))
        try:
            await asyncio.wait({answer, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise TimeoutError
            return answer.result()
        finally:
            for task in (answer, limit):
                task.cancel()
            await asyncio.gather(answer, limit, return_exceptions=True)

    def _count_timeout(self) -> None:
        self._timeouts = (self._today(), self.timeouts_today + 1)

    def _today(self) -> int:
        return (self._clock.now() + _BEIJING) // _DAY
