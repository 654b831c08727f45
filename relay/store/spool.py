"""The spool: where callbacks wait while the disk is slow or full; on another file system, often in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from relay.store.journal import Care

MEMORY = Path("/dev/shm")  # noqa: S108 - the folder below it is made private, and looked at before it is used
MOST = 256 * 1024 * 1024  # bytes in it


def _leave_to_the_kernel(_: int) -> None:
    """Whatever is in memory survives the process, and no power cut in any case."""


IN_MEMORY = Care(_leave_to_the_kernel, most=MOST)


def folder_of(setting: str, base: Path, database: Path) -> Path | None:
    """Where the spool of this database is to be; None where there is to be none.

    `setting` is `auto`, a path that may begin at `base`, or nothing.
    """
    if setting != "auto":
        return base / setting if setting else None
    if not MEMORY.is_dir():
        return None
    which = hashlib.sha256(os.fsencode(database.resolve())).hexdigest()[:16]
    return MEMORY / f"relay-{os.geteuid()}" / which


def make_private(folder: Path) -> None:
    """Make a folder that nobody else may enter; raises `OSError`.

    One that was there and is a link, another's or open to others is refused: it would tell them everything.
    """
    ours = [folder.parent, folder] if folder.parent.parent == MEMORY else [folder]
    ours[0].parent.mkdir(parents=True, exist_ok=True)
    for each in ours:
        each.mkdir(mode=0o700, exist_ok=True)
        found = each.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(f"{each} is not a folder of ours that is closed to others")


def remember(journals: Path, folder: Path | None) -> list[Path]:
    """Note a spool's folder beside the journals; returns all that were ever noted, this one included.

    Whoever moves the spool because the disk is full, or does without, leaves something in the old one.
    """
    noted = journals / "spools"
    known: list[str] = []
    with contextlib.suppress(OSError, UnicodeError):
        known = noted.read_text("utf-8").splitlines()
    if folder is not None and str(folder) not in known:
        known.append(str(folder))
        with contextlib.suppress(OSError):  # a full disk: the next start notes it
            noted.write_text("\n".join(known), "utf-8")
    return [Path(each) for each in known if each]
