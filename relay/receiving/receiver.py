"""Keeps what the platform pushes, then lets it be answered. No plugin, no console, no call to anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from relay.clock import Clock
from relay.receiving.intake import AGAIN, TELL_WITHIN, Intake
from relay.receiving.sources import Network
from relay.store.journal import Journal
from relay.store.protocol import TAKEN_IN

log = structlog.get_logger("relay.receiver")

ANSWER_WITHIN = 0.8  # seconds, of the platform's one (contract 4.1)
SLOW = ((0.1, "answers_slow_total"), (1.0, "answers_late_total"))
"""Seconds, and where answers that took longer are counted; the least first."""
SPOOL_AFTER = 0.75  # of that time, what is not on disk goes into the spool
MOST_LATE = 64 * 1024 * 1024  # bytes that may wait in memory for disk and spool
AT_ONCE = 8 * 1024 * 1024  # bytes in one writing, unless one turn of the loop brought more


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
    begun: float = 0.0  # by the loop's clock
    clock: asyncio.TimerHandle | None = None
    late: bool = False  # answered, and kept nowhere but in memory
    spooled: bool = False
    on_disk: bool = False

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.bodies))

    def answer(self) -> None:
        """Answer whoever waits still, and wait for nothing any more."""
        if self.clock is not None:
            self.clock.cancel()
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


class Receiver:
    """Keeps callback bodies in a journal, on disk before they are answered; its intake does all the rest.

    What the disk does not take in time goes into the spool before it is answered, and stays in memory where
    there is none: the platform would not send it again, whatever we answered.
    """

    def __init__(
        self,
        journal: Journal,
        spool: Journal | None,
        intake: Intake,
        settings: ReceiverSettings,
        clock: Clock,
    ) -> None:
        self._journal = Writer(journal, self._written)
        self._spool = None if spool is None else Writer(spool, self._spooled)
        self._intake = intake
        self._settings = settings
        self._clock = clock
        self._coming: _Batch | None = None  # this turn's
        self._waiting: list[_Batch] = []  # for the disk
        self._late_bytes = 0
        self._untold: Counter[str] = Counter()
        self._refused = False
        self._ended = False
        self._idle = asyncio.Event()

    @property
    def writing(self) -> bool:
        """Whether whatever was answered is on disk, or nearly so, and goes on into the store."""
        spooling = self._spool is not None and self._intake.holds(self._spool.journal)
        return not (self._refused or self._late_bytes or spooling or self._intake.refused)

    def note(self) -> dict[str, object]:
        """What its signs of life tell: up to when whatever was received is in the store, if that is known.

        Until then silence means that nothing was said.
        """
        coming = [] if self._coming is None else [self._coming]
        unkept = [each.at for each in (*coming, *self._waiting, *self._journal.writing) if not each.spooled]
        until = self._intake.all_in_before(min([self._clock.now(), *unkept]))
        return {} if until is None else {TAKEN_IN: until}

    async def keep(self, body: bytes) -> None:
        """Return once a callback's body, good or bad, is on disk, or once its answer may wait no longer."""
        kept = asyncio.Event()
        self.take(body, kept.set)
        await kept.wait()

    def take(self, body: bytes, done: Callable[[], None]) -> None:
        """Call `done` once a callback's body is on disk, or once its answer may wait no longer."""
        if self._late_bytes + len(body) > self._settings.most_late:
            self._lose(1, len(body), "too much waits for the disk")
            done()
            return
        if self._coming is None:
            # Its time is also that of what the disk takes much later: answers expire by it.
            loop = asyncio.get_running_loop()
            self._coming = _Batch(self._clock.now(), [], [], loop.time())
            loop.call_soon(self._send_off)
        self._coming.bodies.append(body)
        self._coming.waiting.append(done)

    # -- onto the disk ---------------------------------------------------------

    def _send_off(self) -> None:
        """Have what this turn of the loop brought written with all that waits: one sync for all of it."""
        batch, self._coming = self._coming, None
        if batch is None:
            return
        share = 1.0 if self._spool is None else SPOOL_AFTER
        loop = asyncio.get_running_loop()
        batch.clock = loop.call_later(self._settings.answer_within * share, self._be_slow, batch)
        self._waiting.append(batch)
        if self._refused:
            self._put_into_spool(batch)
        else:
            self._write()

    def _write(self) -> None:
        if self._ended or self._journal.busy or not self._waiting:
            return
        if not self._intake.holds(self._journal.journal):
            self._journal.journal.begin_anew()
        batches, self._waiting = _first(self._waiting, AT_ONCE)
        self._journal.write(batches)

    def _written(self, batches: list[_Batch], ends: list[int] | OSError) -> None:
        if self._ended:
            return
        if isinstance(ends, OSError):
            self._be_refused(batches, ends)
            return
        self._refused = False
        for batch, end in zip(batches, ends, strict=True):
            self._intake.follow_on(self._journal.journal, end, batch.at, known=batch.spooled)
            batch.on_disk = True
            self._be_late_no_more(batch)
            self._answer(batch)
        self._write()
        self._go_on()

    def _go_on(self) -> None:
        self._intake.nudge()
        if not (self._journal.busy or self._waiting or self._coming):
            self._idle.set()

    def _be_refused(self, batches: list[_Batch], exc: OSError) -> None:
        """Ask the disk again, in the order received; whoever waits for it waits in the spool."""
        if not self._refused:
            log.error("journal_refused", error=str(exc))
        self._refused = True
        self._waiting = [batch for batch in batches if not batch.spooled] + self._waiting
        for batch in self._waiting:
            self._put_into_spool(batch)
        asyncio.get_running_loop().call_later(AGAIN, self._try_again)

    def _try_again(self) -> None:
        """Let the disk show whether it is back, with what waits or with what comes next."""
        self._refused = self._refused and bool(self._waiting)
        self._write()

    # -- where the disk is slow or full ----------------------------------------

    def _be_slow(self, batch: _Batch) -> None:
        """Begin to keep elsewhere what is not on disk; by the time that its answer is due, that is done."""
        if self._spool is None:
            self._be_late(batch)
            return
        rest = self._settings.answer_within * (1 - SPOOL_AFTER)
        batch.clock = asyncio.get_running_loop().call_later(rest, self._be_late, batch)
        self._put_into_spool(batch)

    def _put_into_spool(self, batch: _Batch) -> None:
        if self._spool is None or batch.spooled or batch.late:
            return
        self._spool.waiting.append(batch)
        if not self._spool.busy:
            self._write_spool(self._spool)

    def _write_spool(self, spool: Writer) -> None:
        batches, spool.waiting = spool.waiting, []
        batches = [each for each in dict.fromkeys(batches) if not (each.spooled or each.on_disk)]
        if batches:
            if not self._intake.holds(spool.journal):
                spool.journal.begin_anew()
            spool.write(batches)

    def _spooled(self, batches: list[_Batch], ends: list[int] | OSError) -> None:
        if self._ended or self._spool is None:
            return
        if isinstance(ends, OSError):
            log.error("spool_refused", error=str(ends))
        else:
            for batch, end in zip(batches, ends, strict=True):
                self._be_spooled(batch, self._spool.journal, end)
        self._write_spool(self._spool)
        self._go_on()

    def _be_spooled(self, batch: _Batch, spool: Journal, end: int) -> None:
        # The disk may have been faster after all.
        self._intake.follow_on(spool, end, batch.at, known=batch.on_disk)
        if batch.on_disk:
            return
        batch.spooled = True
        if batch in self._waiting:
            self._waiting.remove(batch)
        if not self._be_late_no_more(batch):
            self._count_early(batch)
        self._answer(batch)

    def _be_late(self, batch: _Batch) -> None:
        """Answer what is kept nowhere yet, and hold on to it."""
        batch.late = True
        self._late_bytes += batch.size
        self._count_early(batch)
        self._answer(batch)

    def _be_late_no_more(self, batch: _Batch) -> bool:
        """It need not be held on to; whether it had to be."""
        was_late, batch.late = batch.late, False
        self._late_bytes -= batch.size if was_late else 0
        return was_late

    def _answer(self, batch: _Batch) -> None:
        """Answer whoever waits still, and count those who waited long."""
        waited = asyncio.get_running_loop().time() - batch.begun
        for seconds, name in SLOW if waited > SLOW[0][0] else ():
            if waited > seconds:
                self._intake.uncounted[name] += len(batch.waiting)
        batch.answer()

    def _count_early(self, batch: _Batch) -> None:
        """Count it now, and tell of it together with others: a line for each would itself be slow."""
        self._intake.uncounted["acked_before_durable_total"] += len(batch.bodies)
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_WITHIN, self._tell)
        self._untold["spooled" if batch.spooled else "in_memory"] += len(batch.bodies)

    def _tell(self) -> None:
        early, self._untold = self._untold, Counter()
        if early:
            kept = {where: early[where] for where in ("spooled", "in_memory")}
            log.warning("callback_acknowledged_before_durable", callbacks=early.total(), **kept)

    def _lose(self, callbacks: int, size: int, reason: str) -> None:
        self._intake.uncounted["lost_total"] += callbacks
        log.error("callback_lost", error=reason, callbacks=callbacks, bytes=size)

    # -- the end ---------------------------------------------------------------

    async def finish(self, seconds: float) -> None:
        """Try once more to write what is late, for so long at most; the rest is lost."""
        if self._ended:
            return
        ends_at = asyncio.get_running_loop().time() + seconds
        self._send_off()
        self._tell()
        if self._waiting or self._journal.busy:
            self._idle.clear()
            self._try_again()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        for batch in self._journal.writing + self._waiting:
            if not batch.spooled:
                self._lose(len(batch.bodies), batch.size, "the process ends")
            self._answer(batch)
        over = await self._intake.finish(max(0.0, ends_at - asyncio.get_running_loop().time()))
        for writer in self._writers if over else ():
            if not writer.busy:
                writer.journal.remove()
                if writer is self._spool:
                    writer.journal.leave_no_folder()
        self.abandon()

    async def taken_in(self, *, large: bool = False) -> None:
        """Return once all that is on disk by now is in the store, or read if it is `large`."""
        await (self._intake.read_all() if large else self._intake.taken_in())

    async def follow(self) -> None:
        """Take in what earlier receivers left, and what others leave from now on."""
        await self._intake.follow()

    def abandon(self) -> None:
        """Stop where we are, as if killed; what the store has been asked for may still be done."""
        if self._ended:
            return
        self._ended = True
        for batch in self._journal.writing + self._waiting:
            if batch.clock is not None:
                batch.clock.cancel()
        self._intake.abandon()

    def let_go(self) -> None:
        """Let others have what is left in the journals, once the store is closed."""
        self._intake.let_go()
        for writer in self._writers:
            writer.close()

    @property
    def _writers(self) -> list[Writer]:
        return [self._journal] if self._spool is None else [self._journal, self._spool]


class Writer:
    """One journal and the thread that writes it."""

    def __init__(
        self, journal: Journal, written: Callable[[list[_Batch], list[int] | OSError], None]
    ) -> None:
        """`written` learns how each writing ended: where each batch ends, or why none is there."""
        self.journal = journal
        self.writing: list[_Batch] = []
        self.waiting: list[_Batch] = []
        self._then = written
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay-journal")

    @property
    def busy(self) -> bool:
        """Whether it writes now."""
        return bool(self.writing)

    def write(self, batches: list[_Batch]) -> None:
        """Write these."""
        self.writing = batches
        records = [(body, batch.at) for batch in batches for body in batch.bodies]
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._thread, self.journal.append, records).add_done_callback(self._over)

    def _over(self, done: asyncio.Future[list[int]]) -> None:
        if done.cancelled():
            return
        batches, self.writing = self.writing, []
        exc = done.exception()
        if exc is not None:
            self._then(batches, exc if isinstance(exc, OSError) else OSError(str(exc)))
            return
        counts = itertools.accumulate(len(batch.bodies) for batch in batches)
        self._then(batches, [done.result()[count - 1] for count in counts])

    def close(self) -> None:
        """Let go of the journal, once the thread does."""
        if self.writing:
            self._thread.submit(self.journal.close)
        else:
            self.journal.close()
        self._thread.shutdown(wait=False)


def _first(batches: list[_Batch], size: int) -> tuple[list[_Batch], list[_Batch]]:
    """As many of them as have so many bytes together, one at least, and the others."""
    taken = 0
    for at, batch in enumerate(batches):
        taken += batch.size
        if taken > size and at:
            return batches[:at], batches[at:]
    return batches, []
