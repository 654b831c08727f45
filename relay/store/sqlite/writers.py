"""Who drives the transactions: a thread of its own, or the event loop of a role.

A role's loop does the statements itself and leaves the sync of the commit to a thread. In a thread, each
statement would give up the interpreter's lock and wait for it again, while the loop is busy and every other
process waits for the database; and no async handler can run, and hang, while the loop holds that lock. A
plain one, in a thread of its own, still can.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import apsw

from relay.store.sqlite.transactions import Job, Transactions

BATCH = 512  # jobs in one transaction of a thread at the most: bounds how long other processes wait
LOOP_BATCH, HURRIED_BATCH = 64, 256  # and of a loop, which does nothing else meanwhile
PAUSE = 0.001  # seconds between two tries for the lock; SQLite's own grow to 100 ms


class ThreadWriter:
    """A thread that waits for the lock as long as `patience`, in seconds, and for each commit."""

    def __init__(self, transactions: Transactions, patience: float) -> None:
        self._transactions = transactions
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="relay-write", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Have it done with the next transaction."""
        self._jobs.put(job)

    def close(self) -> None:
        """Finish what was asked for."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, last = self._collect(job)
            self._commit(jobs)
            _settle(jobs)
            if last:
                return

    def _collect(self, first: Job) -> tuple[list[Job], bool]:
        """Everything that waits by now: while one commit syncs, the next batch gathers."""
        jobs = [first]
        while len(jobs) < BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _commit(self, jobs: list[Job]) -> None:
        try:
            self._begin()
            self._transactions.work(jobs)
            self._transactions.commit()
        except apsw.Error as exc:
            self._transactions.give_up(jobs, exc)

    def _begin(self) -> None:
        give_up_at = time.monotonic() + self._patience
        while True:
            try:
                self._transactions.begin()
            except apsw.BusyError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(PAUSE)
            else:
                return


class LoopWriter:
    """Writes from the event loop, and waits for the lock until it is closed without holding the loop up.

    A `hurried` one has the lock for longer. A commit that nobody needs on disk at once is no more than
    another statement, and takes no thread.
    """

    def __init__(self, transactions: Transactions, *, hurried: bool) -> None:
        self._transactions = transactions
        self._batch = HURRIED_BATCH if hurried else LOOP_BATCH
        self._waiting: deque[Job] = deque()
        self._in_hand: list[Job] = []
        self._commit: Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._commits = ThreadPoolExecutor(1, thread_name_prefix="relay-commit")
        self._closed = False

    def put(self, job: Job) -> None:
        """Have it done with the next transaction, which begins once the loop's turn is over."""
        self._waiting.append(job)
        if self._task is None or self._task.done():
            self._start(asyncio.get_running_loop())

    def close(self) -> None:
        """Finish what was asked for, as far as nobody else holds the lock."""
        self._closed = True
        self._commits.shutdown()
        if self._in_hand:
            self._conclude()
        while self._waiting:
            with self._giving_up():
                self._transactions.begin()
                self._work()
            self._conclude()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._drain())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whoever cancelled the task did not cancel what waits."""
        if task.cancelled() and self._waiting and not self._closed:
            self._start(task.get_loop())

    async def _drain(self) -> None:
        while self._waiting and not self._closed:
            with self._giving_up():
                await self._begin()
                if self._closed:
                    return
                self._work()
                if self._transactions.synced:
                    await self._synced()
                else:
                    self._transactions.commit()
            self._settle()

    async def _begin(self) -> None:
        while not self._closed:
            try:
                self._transactions.begin(synced=self._asks_for_sync())
            except apsw.BusyError:
                await asyncio.sleep(PAUSE)
            else:
                return

    def _asks_for_sync(self) -> bool:
        return any(job.synced for job in itertools.islice(self._waiting, self._batch))

    def _work(self) -> None:
        self._take()
        self._transactions.work(self._in_hand)

    def _take(self) -> None:
        for _ in range(min(self._batch, len(self._waiting))):
            self._in_hand.append(self._waiting.popleft())

    async def _synced(self) -> None:
        """Commit in a thread; whoever cancels us meanwhile changes nothing for those who wait."""
        begun = threading.Lock()
        begun.acquire()
        self._commit = self._commits.submit(self._sync, begun)
        begun.acquire()  # what runs next may keep the interpreter: by then, the commit is not to need it
        try:
            await asyncio.wrap_future(self._commit)
        except asyncio.CancelledError:
            if self._in_hand:
                self._conclude()
            raise

    def _sync(self, begun: threading.Lock) -> None:
        """Commit, with the interpreter in hand until SQLite is at it."""
        begun.release()
        self._transactions.commit()

    def _conclude(self) -> None:
        """Commit here and now, unless a thread has done so or is about to."""
        with self._giving_up():
            if self._commit is not None and not self._commit.cancelled():
                self._commit.result()
            elif self._transactions.connection.in_transaction:
                self._transactions.commit()
        self._settle()

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Where SQLite refuses: nothing of what is in hand was done, or of what waits can be."""
        try:
            yield
        except apsw.Error as exc:
            if not self._in_hand:
                self._take()
            self._transactions.give_up(self._in_hand, exc)

    def _settle(self) -> None:
        jobs, self._in_hand, self._commit = self._in_hand, [], None
        for job in jobs:
            job.settle()


def _settle(jobs: list[Job]) -> None:
    """Wake each event loop once for the whole batch."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, own in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_settle_all, own)


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
