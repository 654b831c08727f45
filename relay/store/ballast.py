"""A file that is only there to be deleted: on a full disk, SQLite cannot even write what would make room."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import structlog

from relay.store.journal import make_room

log = structlog.get_logger("relay.ballast")

SIZE = 16 * 1024 * 1024
LOW_WATER = 4 * SIZE  # bytes that are free on a disk which is not about to be full


class Ballast:
    """Held beside a database by whoever takes callbacks in."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".ballast")
        self._low = False

    def drop(self) -> bool:
        """Give its room to the database; whether there was any."""
        try:
            self.path.unlink()
        except OSError:
            return False
        log.error("ballast_dropped", bytes=SIZE)
        return True

    def tend(self) -> None:
        """Say once when the disk is about to be full, and take the room back once it is not."""
        low = self._free() < LOW_WATER
        if low and not self._low:
            log.warning("disk_low", free=self._free(), folder=str(self.path.parent))
        self._low = low
        if not low:
            with contextlib.suppress(OSError):  # there is always another time
                self._hold()

    def _hold(self) -> None:
        if self.path.exists():
            return
        beside = self.path.with_suffix(".new")
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            make_room(file, SIZE)
            beside.rename(self.path)
        except OSError:
            beside.unlink(missing_ok=True)
        finally:
            os.close(file)

    def _free(self) -> int:
        try:
            found = os.statvfs(self.path.parent)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize
