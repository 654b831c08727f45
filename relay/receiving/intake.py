"""From the receiver's journal into the database: open and split what came, in the order that it came."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from relay.errors import BodyError, StorageError
from relay.receiving.large import Large
from relay.receiving.line import Line, Stretch
from relay.store.ballast import Ballast
from relay.store.copies import Copies
from relay.store.journal import Journal, Mark, Record, left_in, sync_removals
from relay.store.protocol import Store
from relay.store.values import Callback
from relay.wire.crypto import open_body
from relay.wire.notifications import Damage, Reading, read_in_chunks, read_notifications

log = structlog.get_logger("relay.intake")

T = TypeVar("T")

LARGE = 256 * 1024  # bytes; a merge of 200 KB is read in a few milliseconds
MANY = 4096  # objects and arrays in a body: so many are read in some 40 milliseconds
TOGETHER = 32  # callbacks in one transaction: so long others wait for the lock, some 3 ms
BREATH = 8  # callbacks after which whoever waits for an answer has a turn, some 0.5 ms
AGAIN = 0.2  # seconds before a disk that refused is asked again
READS = 25  # tries to read from a journal, until what is there is given up
LOOK = 1.0  # seconds between two looks for what receivers left that have ended
TELL_WITHIN = 1.0  # seconds in which bodies that cannot be read are told of together

Open = Callable[[bytes], bytes]


def opener(key: bytes, *, allow_plaintext: bool) -> Open:
    """What makes of a body its text; raises `BodyError`."""
    return lambda body: open_body(body, key, allow_plaintext=allow_plaintext)


class Intake:
    """One per receiver. Works whenever it is nudged, and until all that was kept is in the store."""

    def __init__(
        self,
        store: Store,
        journals: Sequence[Journal],
        open_text: Open,
        ballast: Ballast | None = None,
        others: Sequence[Path] = (),
    ) -> None:
        """The first of its journals gives it its name; the ballast goes overboard when the disk is full.

        In these other folders receivers before this one may have left something.
        """
        self._store = store
        self._origin = store.origin
        self._journals = journals
        self._name = journals[0].name
        self._open = open_text
        self._ballast = ballast
        self._others = others
        self._copies = Copies()
        self._line = Line()
        self._left: list[Journal] = []  # by receivers that have ended: older than what is in ours
        self._looked_at: float | None = None
        self._alone = False  # when it was looked last, nobody else had a journal
        self._accounts: set[str] = set()
        self._working: asyncio.Task[None] | None = None
        self._untold: Counter[str] = Counter()
        self._ending = False
        self._large = Large(store, self._name, self._read_in_chunks, self._brought, self._insist)
        self.uncounted: Counter[str] = Counter()  #: is put into the store's counters once it can be
        self.refused = False  #: whether the store refuses

    def follow_on(self, journal: Journal, end: int, since: int, *, known: bool = False) -> None:
        """What a journal has before `end`, of `since`, comes next, unless it is `known` from another one."""
        self._line.follow_on(journal, end, since, known=known)

    def holds(self, journal: Journal) -> bool:
        """Whether some of it is still to come."""
        return self._line.holds(journal)

    def all_in_before(self, time: int) -> int | None:
        """Up to when, `time` at most, all is in the store; None while others may have something yet."""
        since = self._line.since()
        return None if not self._alone else time if since is None else min(since, time)

    def nudge(self) -> None:
        """See whether there is anything to do."""
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
            self._working.add_done_callback(self._over)

    async def follow(self) -> None:
        """Look again and again for what others have left."""
        while True:
            self.nudge()
            if self._ballast is not None and not self.refused:
                await asyncio.to_thread(self._ballast.tend)
            await asyncio.sleep(LOOK)

    async def taken_in(self) -> None:
        """Return once all that is in the journals by now is in the store."""
        self.nudge()
        while self._working is not None and not self._working.done():
            await asyncio.wait({self._working})

    async def read_all(self) -> None:
        """The same, and once large bodies have been read, too."""
        await self.taken_in()
        await self._large.done()

    async def finish(self, seconds: float) -> bool:
        """Take in what can be within so long; whether that was all. The rest stays in the journal."""
        self._ending = True
        self._tell_all()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.read_all(), seconds)
        over = not (self._line or self._left or self._large.busy)
        self.abandon()
        return over

    def abandon(self) -> None:
        """Stop where we are; another receiver adopts what is left."""
        if self._working is not None:
            self._working.cancel()
        self._large.stop()

    def let_go(self) -> None:
        """Let others adopt what we have adopted."""
        for each in self._left:
            each.close()

    def _over(self, task: asyncio.Task[None]) -> None:
        """Go on with what came meanwhile; where the work failed, the next nudge begins it again."""
        if task.cancelled():
            return
        exc = task.exception()
        if exc is not None and not isinstance(exc, StorageError):
            log.error("intake_failed", error=type(exc).__name__)
        elif exc is None and self._line:
            self.nudge()

    # -- in order --------------------------------------------------------------

    async def _work(self) -> None:
        await self._look_for_left()
        while self._left:
            await self._take_left()
        while self._line:
            stretch = self._line.first
            if stretch.known:
                await self._pass_by(stretch)
            else:
                await self._work_off(stretch)
            if stretch.journal.position >= stretch.end:
                self._line.drop_first()
        await self._count()

    async def _pass_by(self, stretch: Stretch) -> None:
        """Note that it is over, so that nobody adopts what has come by another way."""
        mark = stretch.journal.mark_at(stretch.end)
        await self._insist(lambda: self._store.ingest_journal((), mark))
        stretch.journal.skip(stretch.end)

    async def _look_for_left(self) -> None:
        """Adopt the journals of receivers that have ended."""
        now = asyncio.get_running_loop().time()
        first = self._looked_at is None
        if not first and now < (self._looked_at or 0.0) + LOOK:
            return
        self._looked_at = now
        ours = [journal.path for journal in self._journals]
        found = [path for path in self._all() if path not in ours]
        self._alone = not any(map(_ours, found))  # what is another user's nobody here will ever read
        adopted = [journal for path in found if (journal := Journal.adopt(path)) is not None]
        if adopted:
            await self._go_on_with(adopted)
        if first and not self._left:
            await self._inherit()

    async def _go_on_with(self, adopted: list[Journal]) -> None:
        """Look how far each was read: now that they are held, nobody goes on reading them."""
        try:
            marks = await self._insist(self._store.marks)
            for journal in adopted[:]:
                with contextlib.suppress(OSError):  # the next look may find it readable
                    await asyncio.to_thread(journal.go_on, marks.get(journal.name, Mark(journal.name)))
                    log.info("journal_adopted", journal=journal.name, ended=journal.ended)
                    self._left.append(journal)
                    adopted.remove(journal)
        finally:
            for each in adopted:
                each.close()

    def _all(self) -> list[Path]:
        folders = (*(journal.path.parent for journal in self._journals), *self._others)
        found = (path for folder in dict.fromkeys(folders) for path in left_in(folder, self._origin))
        return list(found)

    async def _inherit(self) -> None:
        """Have what receivers put aside whose journals are gone, also from the disk."""
        others = [path.stem for path in self._all()]
        for folder in {journal.path.parent for journal in self._journals}:
            await asyncio.to_thread(sync_removals, folder)
        await self._insist(lambda: self._store.inherit(self._name, others))
        self._large.resume()

    async def _take_left(self) -> None:
        """Take what came first of all that was left in several journals, and remove those that are over."""
        found = [(journal, records) for journal in self._left if (records := await self._read_of(journal))]
        found.sort(key=lambda each: each[1][0].received_at)
        if found:
            (journal, records), *others = found
            if others:  # none behind one whose turn is later: a clock that was set back misleads about it
                until = others[0][1][0].received_at
                records = [*itertools.takewhile(lambda each: each.received_at <= until, records)]
            await self._take_once(journal, records)
        for over in [each for each in self._left if each.ended]:
            self._left.remove(over)
            over.remove()
            over.close()
            await self._inherit()
        if not self._left:
            self._copies = Copies()

    async def _take_once(self, journal: Journal, records: Sequence[Record]) -> None:
        """Take what has not come by another of these journals: disk and spool may both have it."""
        await self._take(journal, [each for each in records if self._copies.is_new(journal.name, each)])
        if journal.position < records[-1].end:
            mark = journal.mark(records[-1])
            await self._insist(lambda: self._store.ingest_journal((), mark))
            journal.passed(records[-1])

    async def _work_off(self, stretch: Stretch) -> None:
        while records := await self._read_of(stretch.journal, stretch.end):
            await self._take(stretch.journal, records)
            stretch.since = records[-1].received_at

    async def _read_of(self, journal: Journal, end: int | None = None) -> list[Record]:
        """The next records, none where they cannot be read time and again: these are lost."""
        for tries in range(1, READS + 1):
            try:
                return journal.read(end)
            except OSError as exc:
                reason = str(exc)
            if tries < READS:
                await asyncio.sleep(AGAIN)
        log.error("journal_unreadable", journal=journal.name, error=reason, bytes=journal.skip(end))
        self.uncounted["lost_total"] += 1
        return []

    async def _take(self, journal: Journal, records: Sequence[Record]) -> None:
        together: list[tuple[Record, Reading]] = []
        for number, record in enumerate(records, 1):
            reading = self._read_at_once(record.body)
            if reading is not None:
                together.append((record, reading))
            if together and (reading is None or len(together) == TOGETHER):
                await self._keep(journal, together)
                together = []
            if reading is None:
                await self._take_by_itself(journal, record)
            elif number % BREATH == 0:
                await asyncio.sleep(0)
        if together:
            await self._keep(journal, together)

    async def _keep(self, journal: Journal, together: Sequence[tuple[Record, Reading]]) -> None:
        last, _ = together[-1]
        callbacks = [self._brought(reading, record.received_at) for record, reading in together]
        try:
            await self._insist(lambda: self._store.ingest_journal(callbacks, journal.mark(last)))
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - a border: whichever of them it was costs itself alone
            for record, _ in together:
                await self._take_by_itself(journal, record)
        else:
            self._accounts.update(account for each in callbacks for account in each.accounts)
            journal.passed(last)

    async def _take_by_itself(self, journal: Journal, record: Record) -> None:
        """One that is large, or over which something went wrong."""
        mark = journal.mark(record)
        try:
            await self._take_one(record, mark)
        except StorageError:
            raise
        except Exception as exc:  # noqa: BLE001 - a border: what nobody foresaw costs this body alone
            # Where and what kind, but never its words: they may be a customer's.
            place = traceback.extract_tb(exc.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            log.error("callback_not_understood", error=type(exc).__name__, at=where, bytes=len(record.body))
            kept = Callback((), (), record.received_at, [("internal", record.body)])
            await self._insist(lambda: self._store.ingest_journal([kept], mark))
        journal.passed(record)

    async def _take_one(self, record: Record, mark: Mark) -> None:
        reading = self._read(record.body)
        if reading is None:
            await self._large.keep(record.body, record.received_at, mark)
            return
        brought = self._brought(reading, record.received_at)
        await self._insist(lambda: self._store.ingest_journal([brought], mark))

    # -- what a body brought ---------------------------------------------------

    def _brought(self, reading: Reading, at: int) -> Callback:
        """What is to be kept of it."""
        self._tell(reading)
        named = {entry.account for entry in reading.entries if entry.account} - self._accounts
        damaged = [(part.reason, part.part) for part in reading.damaged]
        return Callback(reading.entries, sorted(named), at, damaged)

    def _read_at_once(self, body: bytes) -> Reading | None:
        """What a body brought; None where it is to be looked at by itself."""
        try:
            return self._read(body)
        except Exception:  # noqa: BLE001 - found again, and told, by whoever looks at it by itself
            return None

    def _read(self, body: bytes) -> Reading | None:
        """All that a body brought, one that cannot be opened as damage; None where reading takes long."""
        if len(body) > LARGE:
            return None
        try:
            text = self._open(body)
            return None if text.count(b"{") + text.count(b"[") > MANY else read_notifications(text)
        except BodyError as exc:
            return Reading((), (Damage(exc.reason, body),), 1)

    def _read_in_chunks(self, body: bytes) -> Iterator[Reading]:
        """The same, a part at a time."""
        try:
            yield from read_in_chunks(self._open(body))
        except BodyError as exc:
            yield Reading((), (Damage(exc.reason, body),), 1)

    def _tell(self, reading: Reading) -> None:
        """Say what cannot be read, together and later: a line for each would let anybody fill the log."""
        if not reading.damaged:
            return
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_WITHIN, self._tell_all)
        self._untold.update(part.reason for part in reading.damaged)

    def _tell_all(self) -> None:
        told = dict(sorted(self._untold.items()))
        self._untold.clear()
        if told:
            log.warning("callback_unreadable", parts=sum(told.values()), reasons=told)

    # -- while the store refuses -----------------------------------------------

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write until the store obeys; `StorageError` only when the process ends."""
        while True:
            try:
                written = await write()
            except StorageError as exc:
                if not self.refused:
                    log.error("intake_waits_for_storage", error=str(exc))
                self.refused = True
                if exc.full and self._ballast is not None and self._ballast.drop():
                    continue
                if self._ending:
                    raise
                await asyncio.sleep(AGAIN)
            else:
                self.refused = False
                return written

    async def _count(self) -> None:
        """Put on disk what was counted while it could not be."""
        while self.uncounted:
            name, times = self.uncounted.popitem()
            try:
                await self._store.count(name, times)
            except StorageError:
                self.uncounted[name] += times
                return


def _ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_uid == os.geteuid()
    return False
