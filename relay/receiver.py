"""Keeps what the platform pushes, then lets it be answered. No plugin, no console, no call to anywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from relay.clock import Clock
from relay.errors import StorageError
from relay.intake import AGAIN, Intake, opener
from relay.sources import Network
from relay.store.journal import Journal
from relay.store.protocol import Store

log = structlog.get_logger("relay.receiver")

ANSWER_WITHIN = 0.8  # seconds, of the platform's one (contract 4.1)
MOST_LATE = 64 * 1024 * 1024  # bytes that may wait in memory for the disk


@dataclass(frozen=True, slots=True, repr=False)
class ReceiverSettings:
    """What the receiver needs of the configuration; sizes in bytes, `answer_within` in seconds."""

    callback_path: str
    key: bytes
    allowed_ips: tuple[Network, ...] = ()
    platform_ips: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    max_body: int = 8 * 1024 * 1024
    allow_plaintext: bool = False
    answer_within: float = ANSWER_WITHIN
    most_late: int = MOST_LATE


@dataclass(slots=True, repr=False, eq=False)
class _Batch:
    """What one turn of the loop brought: bodies, when they came, and whoever waits for their answer."""

    at: int
    bodies: list[bytes]
    waiting: list[Callable[[], None]]
    clock: asyncio.TimerHandle | None = None
    late: bool = False  # answered, and not on disk yet

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.bodies))

    def answer(self) -> None:
        """Answer whoever waits still."""
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


class Receiver:
    """Keeps callback bodies in a journal, on disk before they are answered; its intake does all the rest."""

    def __init__(self, journal: Journal, intake: Intake, settings: ReceiverSettings, clock: Clock) -> None:
        self._journal = journal
        self._intake = intake
        self._settings = settings
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="relay-journal")
        self._coming: _Batch | None = None  # this turn's
        self._waiting: list[_Batch] = []  # for the disk
        self._writing: list[_Batch] = []
        self._late_bytes = 0
        self._refused = False
        self._ended = False
        self._idle = asyncio.Event()

    @classmethod
    def beside(cls, database: Path, store: Store, settings: ReceiverSettings, clock: Clock) -> Receiver:
        """One with a journal of its own beside the database; `StorageError` where there can be none."""
        folder = database.with_name(database.name + ".journal")
        try:
            journal = Journal.create(folder, store.origin)
        except OSError as exc:
            raise StorageError(f"{folder} cannot be written: {exc}") from exc
        intake = Intake(store, journal, opener(settings.key, allow_plaintext=settings.allow_plaintext))
        return cls(journal, intake, settings, clock)

    @property
    def writing(self) -> bool:
        """Whether whatever was answered is on disk, or nearly so, and goes on into the store."""
        return not (self._refused or self._late_bytes or self._intake.refused)

    async def keep(self, body: bytes) -> None:
        """Return once a callback's body, good or bad, is on disk, or once its answer may wait no longer."""
        kept = asyncio.Event()
        self.take(body, kept.set)
        await kept.wait()

    def take(self, body: bytes, done: Callable[[], None]) -> None:
        """Call `done` once a callback's body is on disk, or once its answer may wait no longer.

        A body that is late stays in memory until the disk takes it or the process ends: the platform would
        not send it again, whatever we answered.
        """
        if self._late_bytes + len(body) > self._settings.most_late:
            self._lose(1, len(body), "too much waits for the disk")
            done()
            return
        if self._coming is None:
            # Its time is also that of what the disk takes much later: answers expire by it.
            self._coming = _Batch(self._clock.now(), [], [])
            asyncio.get_running_loop().call_soon(self._send_off)
        self._coming.bodies.append(body)
        self._coming.waiting.append(done)

    def _send_off(self) -> None:
        """Have what this turn of the loop brought written with all that waits: one sync for all of it."""
        batch, self._coming = self._coming, None
        if batch is None:
            return
        loop = asyncio.get_running_loop()
        batch.clock = loop.call_later(self._settings.answer_within, self._be_late, batch)
        self._waiting.append(batch)
        if not (self._writing or self._refused):
            self._write()

    def _write(self) -> None:
        self._journal.begin_anew()
        self._writing, self._waiting = self._waiting, []
        records = [(body, batch.at) for batch in self._writing for body in batch.bodies]
        writing = asyncio.get_running_loop().run_in_executor(self._writer, self._journal.append, records)
        writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        if writing.cancelled() or self._ended:
            return
        batches, self._writing = self._writing, []
        if (exc := writing.exception()) is not None:
            self._be_refused(batches, exc)
            return
        self._refused = False
        for batch in batches:
            self._kept(batch)
        if self._waiting:
            self._write()
        elif self._coming is None:
            self._idle.set()
        self._intake.nudge()

    def _kept(self, batch: _Batch) -> None:
        if batch.clock is not None:
            batch.clock.cancel()
        if batch.late:
            self._late_bytes -= batch.size
        batch.answer()

    def _be_refused(self, batches: list[_Batch], exc: BaseException) -> None:
        """Ask the disk again, in the order received."""
        if not self._refused:
            log.error("journal_refused", error=str(exc))
        self._refused = True
        self._waiting = batches + self._waiting
        asyncio.get_running_loop().call_later(AGAIN, self._try_again)

    def _try_again(self) -> None:
        if self._waiting and not self._writing:
            self._write()

    def _be_late(self, batch: _Batch) -> None:
        """Answer what is not on disk, and hold on to it."""
        batch.late = True
        self._late_bytes += batch.size
        self._intake.uncounted["acked_before_durable_total"] += len(batch.bodies)
        log.warning("callback_acknowledged_before_durable", callbacks=len(batch.bodies), bytes=batch.size)
        batch.answer()

    def _lose(self, callbacks: int, size: int, reason: str) -> None:
        self._intake.uncounted["lost_total"] += callbacks
        log.error("callback_lost", error=reason, callbacks=callbacks, bytes=size)

    async def finish(self, seconds: float) -> None:
        """Try once more to write what is late, for so long at most; the rest is lost."""
        ends_at = asyncio.get_running_loop().time() + seconds
        self._send_off()
        if self._waiting or self._writing:
            self._idle.clear()
            self._try_again()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        for batch in self._writing + self._waiting:
            self._lose(len(batch.bodies), batch.size, "the process ends")
            batch.answer()
        over = await self._intake.finish(max(0.0, ends_at - asyncio.get_running_loop().time()))
        if over and not self._writing:
            self._journal.remove()
        self.abandon()

    async def taken_in(self, *, large: bool = False) -> None:
        """Return once all that is on disk by now is in the store, or read if it is `large`."""
        await (self._intake.read_all() if large else self._intake.taken_in())

    async def follow(self) -> None:
        """Take in what earlier receivers left, and what others leave from now on."""
        await self._intake.follow()

    def abandon(self) -> None:
        """Stop where we are, as if killed."""
        if self._ended:
            return
        self._ended = True
        for batch in self._writing + self._waiting:
            if batch.clock is not None:
                batch.clock.cancel()
        self._intake.abandon()
        if self._writing:  # by a thread that may use the file still
            self._writer.submit(self._journal.close)
        else:
            self._journal.close()
        self._writing, self._waiting = [], []
        self._writer.shutdown(wait=False)
