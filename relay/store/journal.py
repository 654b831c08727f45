"""The receiver's journal: a body is on disk here before it is answered, and in the database soon after.

A file of its own, written from front to back by one process, waits for nobody's lock. Whoever puts a record
into the database writes down in the same transaction how far that was (`Mark`), so each is put there once.
Once all of it is there, the file begins anew with the next epoch: what an earlier one left behind the end
is told by its number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from relay.errors import StorageError

ROOM = 8 * 1024 * 1024  # bytes that a journal has from the start, so that a full disk is not full at once
ANEW = 4 * 1024 * 1024  # bytes after which a journal that was read to its end begins anew
AT_ONCE = 256 * 1024  # bytes that are read together
SUFFIX = ".journal"

_CHECKED = struct.Struct("<IQQ")  # length of the body, epoch, milliseconds since 1970
_HEAD = struct.Struct("<I")  # checksum of the rest
HEAD = _HEAD.size + _CHECKED.size


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal is in the database: all epochs before this one, and this one before `offset`."""

    journal: str
    epoch: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A body, when it came, and where the journal goes on behind it."""

    body: bytes
    received_at: int
    end: int


@dataclass(frozen=True, slots=True)
class Care:
    """How a journal treats its file; sizes in bytes."""

    sync: Callable[[int], None]
    room: int = 0  #: that it has from the start
    most: int = sys.maxsize  #: that it may take


def sync(file: int) -> None:
    """Return once what was written is on the disk itself."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, whose fsync stops at the drive's cache
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(file)


DISK = Care(sync, ROOM)
"""Of what is to outlive a power cut."""


class Journal:
    """A journal in our hands: no other process reads or writes it as long as this one lives."""

    def __init__(self, path: Path, file: int, mark: Mark, care: Care = DISK) -> None:
        """One that is held already, read as far as `mark`; see `create` and `adopt`."""
        self.path = path
        self.name = mark.journal
        self._file = file
        self._care = care
        self._epoch = mark.epoch
        self._read = mark.offset
        self._written = mark.offset
        self._tried = 0  # how far this epoch was ever written to, also in vain

    @classmethod
    def create(cls, folder: Path, origin: str, care: Care = DISK) -> Journal:
        """A new one for the database of this origin, open to its owner alone; raises `OSError`."""
        name = f"{origin}-{secrets.token_hex(8)}"
        path = folder / (name + SUFFIX)
        file = _create(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if care.room:
                with contextlib.suppress(OSError):  # a full disk may have room for the first callback
                    make_room(file, care.room)
            os.fsync(file)
            _sync_folder(folder)
            with contextlib.suppress(PermissionError):  # it is no folder of ours, which was there before
                _sync_folder(folder.parent)
        except BaseException:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        return cls(path, file, Mark(name), care)

    @classmethod
    def adopt(cls, path: Path) -> Journal | None:
        """One whose process has ended, to `go_on` with; None while somebody holds it, or where it is gone."""
        try:
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(file)
            ours = found.st_uid == os.geteuid()  # in a folder of all users, somebody else may have made it
            if ours and found.st_nlink:  # else its last owner took it away meanwhile
                return cls(path, file, Mark(path.stem))
        except OSError:
            pass
        os.close(file)
        return None

    def go_on(self, mark: Mark) -> None:
        """Look how far its process came, which had put it into the database up to `mark`; raises `OSError`.

        An epoch begins once all before it needs no reading any more, whether a mark tells of that or not.
        """
        self._read = 0
        last = self._header()[1]
        begun_anew = last > mark.epoch
        self._epoch, begin = (last, 0) if begun_anew else (mark.epoch, mark.offset)
        self._read = begin
        self._written = self._end()
        self._read = begin

    # -- what comes ------------------------------------------------------------

    def append(self, records: Sequence[tuple[bytes, int]]) -> list[int]:
        """Return the end of each once bodies, each with when it came, are on disk.

        After an `OSError` none of them counts. To be called from one thread at a time, any.
        """
        parts = [self._record(body, at) for body, at in records]
        ends = list(itertools.accumulate((sum(map(len, each)) for each in parts), initial=self._written))
        if ends[-1] > self._care.most:
            raise OSError(errno.ENOSPC, "the journal has had all its room")
        refused = ends[-1] < self._tried  # what lies behind them is as valid as they are, but does not count
        self._tried = max(self._tried, ends[-1])
        self._write(b"".join([*itertools.chain(*parts), bytes(HEAD if refused else 0)]))
        self._care.sync(self._file)
        self._written = ends[-1]
        return ends[1:]

    def _record(self, body: bytes, received_at: int) -> tuple[bytes, bytes, bytes]:
        head = _CHECKED.pack(len(body), self._epoch, received_at)
        return _HEAD.pack(zlib.crc32(body, zlib.crc32(head))), head, body

    def _write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._file, data[done:] if done else data, self._written + done)

    # -- what goes into the database -------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether all that is on disk has been read."""
        return self._read == self._written

    @property
    def position(self) -> int:
        """How far it has been read."""
        return self._read

    def read(self, end: int | None = None) -> list[Record]:
        """The next records before `end`, some together; raises `OSError`, also where they have changed.

        They come again until they are `passed`. None at the end.
        """
        end = self._written if end is None else end
        if self._read >= end:
            return []
        found = self._next(end)
        if not found:
            raise OSError(f"{self.path.name} has changed behind {self._read}")
        return found

    def passed(self, record: Record) -> None:
        """It is in the database, with all before it."""
        self._read = record.end

    def mark(self, record: Record) -> Mark:
        """What to write down with this record."""
        return self.mark_at(record.end)

    def mark_at(self, end: int) -> Mark:
        """What to write down once all before it is in the database, or need not be."""
        return Mark(self.name, self._epoch, end)

    def skip(self, end: int | None = None) -> int:
        """Pass by what cannot, or need not, be read, how many bytes that are."""
        size = (self._written if end is None else end) - self._read
        self._read += size
        return size

    def begin_anew(self) -> None:
        """Write over what is in the database, once that is much; not while `append` is under way."""
        if not self.ended or self._written < ANEW:
            return
        if self._written > self._care.room:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._care.room)
        self._epoch += 1
        self._read = self._written = self._tried = 0

    def _next(self, end: int) -> list[Record]:
        """Some valid records before `end`, or one that is larger than what is read at once."""
        at_once = min(AT_ONCE, end - self._read)
        found = self._records(at_once)
        if not found and (needed := HEAD + self._header()[0]) > at_once and needed <= end - self._read:
            found = self._records(needed)
        return found

    def _header(self) -> tuple[int, int]:
        """Length and epoch of what comes next, whatever it is."""
        head = os.pread(self._file, HEAD, self._read).ljust(HEAD, b"\0")
        length, epoch, _ = _CHECKED.unpack_from(head, _HEAD.size)
        return length, epoch

    def _records(self, size: int) -> list[Record]:
        """Every whole and valid record among the next bytes."""
        data = os.pread(self._file, size, self._read)
        found: list[Record] = []
        at = 0
        while at + HEAD <= len(data):
            length, epoch, received_at = _CHECKED.unpack_from(data, at + _HEAD.size)
            end = at + HEAD + length
            if epoch != self._epoch or end > len(data):
                break
            body = data[at + HEAD : end]
            if (
                zlib.crc32(body, zlib.crc32(data[at + _HEAD.size : at + HEAD]))
                != _HEAD.unpack_from(data, at)[0]
            ):
                break
            found.append(Record(body, received_at, self._read + end))
            at = end
        return found

    def _end(self) -> int:
        size = os.fstat(self._file).st_size
        while found := self._next(size):
            self._read = found[-1].end
        return self._read

    # -- the end ---------------------------------------------------------------

    def remove(self) -> None:
        """Take away a journal that has been read to its end."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def leave_no_folder(self) -> None:
        """Take away its folder, too, unless others have theirs there."""
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    def close(self) -> None:
        """Let go of it; whatever is in it waits for whoever adopts it."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def beside(database: Path, origin: str) -> Journal:
    """A new one beside the database; raises `StorageError` where there can be none."""
    folder = database.with_name(database.name + ".journal")
    try:
        return Journal.create(folder, origin)
    except OSError as exc:
        raise StorageError(f"{folder} cannot be written: {exc}") from exc


def left_in(folder: Path, origin: str) -> list[Path]:
    """All journals for the database of this origin, whoever holds them, oldest first.

    Those of another were left when the file was replaced: what they hold has been acted on, or is long over.
    """
    found: list[tuple[int, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            if each.name.startswith(origin + "-") and each.name.endswith(SUFFIX):
                with contextlib.suppress(FileNotFoundError):  # its owner has just taken it away
                    found.append((each.stat().st_mtime_ns, each.path))
    return [Path(path) for _, path in sorted(found)]


def sync_removals(folder: Path) -> None:
    """Let no journal come back after a power cut: without its mark, all of it would be read again."""
    with contextlib.suppress(OSError):  # a broken disk: what is read again is known, but for events
        _sync_folder(folder)


def _create(path: Path) -> int:
    """A new file; its folder may be taken away by somebody who leaves in that very moment."""
    for _ in range(3):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    raise FileNotFoundError(errno.ENOENT, "its folder is gone", str(path.parent))


def make_room(file: int, size: int) -> None:
    """Let the disk set so much aside now, while it has it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(1024 * 1024)
    for at in range(0, size, len(zeros)):
        os.pwrite(file, zeros, at)


def _sync_folder(folder: Path) -> None:
    """Put the file's name on disk, too."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
