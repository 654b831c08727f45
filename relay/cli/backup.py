"""`relay backup`: a copy of the database, while the bot runs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Annotated

import apsw
import typer
from rich.filesize import decimal
from rich.progress import Progress

from relay.cli import texts
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json, configured
from relay.cli.screen import print_json, screen
from relay.config import Config
from relay.errors import RefusalError
from relay.language import Text
from relay.store.protocol import Row
from relay.store.sqlite.backup import back_up

HELP = """Copy the database into a file, as it is at this moment; the bot may run meanwhile.

The copy is compact and complete, and its owner's alone: it holds what customers wrote. It gets its name once
all of it is on disk. "Going live" says how to restore it.

Examples:

- `relay backup /mnt/elsewhere/relay-monday.db`
- `relay backup latest.db --force --json` — over an earlier one, for programs
"""


MAGIC = b"SQLite format 3\0"
BESIDE = ("", "-wal", "-shm", "-journal", ".lock", ".journal", ".ballast", ".router")
"""What the names of the bot's own files end with."""


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; not there yet.")],
    config: ConfigPath = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        try:
            _refuse_unfit(read.database, file, force=force)
        except OSError as exc:  # a name too long, a folder that may not be looked into
            raise _refused(exc, file) from exc
        copied = _copy(read, file)
        row: Row = {"file": str(file), "bytes": file.stat().st_size, **copied}
        if json:
            print_json(row)
        else:
            values = {**row, "bytes": decimal(file.stat().st_size)}
            screen().print(texts.BACKED_UP.said(read.bot.language, **values), soft_wrap=True)


def _refuse_unfit(database: Path, file: Path, *, force: bool) -> None:
    if not database.is_file():
        raise RefusalError(texts.NO_DATABASE, texts.NO_DATABASE_HINT, {"path": database}, exit_code=1)
    target, values = file.resolve(), {"file": file, "folder": file.parent}
    own = database.resolve()
    if target in [own.with_name(own.name + suffix) for suffix in BESIDE]:
        raise RefusalError(texts.BACKUP_OVER_ITSELF, texts.BACKUP_ELSEWHERE, values)
    if own.with_name(own.name + ".journal") in target.parents:
        raise RefusalError(texts.BACKUP_IN_JOURNAL, texts.BACKUP_ELSEWHERE, values)
    if file.is_dir():
        raise RefusalError(texts.BACKUP_IS_FOLDER, texts.BACKUP_FILE_HINT, values)
    if not file.parent.is_dir():
        raise RefusalError(texts.BACKUP_NO_FOLDER, texts.BACKUP_NO_FOLDER_HINT, values)
    if file.exists() and not force:
        raise RefusalError(texts.BACKUP_THERE, texts.BACKUP_THERE_HINT, values, exit_code=1)
    if file.exists() and not _is_copy(file):  # a device, the configuration, or whatever a typing error names
        raise RefusalError(texts.BACKUP_NO_COPY, texts.BACKUP_NO_COPY_HINT, values, exit_code=1)


def _is_copy(file: Path) -> bool:
    """Whether it is a database, or empty: nothing else is ever replaced."""
    if not file.is_file():
        return False
    with file.open("rb") as found:
        return found.read(len(MAGIC)) in (MAGIC, b"")


def _copy(config: Config, file: Path) -> dict[str, int]:
    console = screen(stderr=True)
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=1.0)
            return back_up(config.database, file, lambda part: progress.update(task, completed=part))
    except (apsw.Error, OSError) as exc:
        raise _refused(exc, file) from exc


def _refused(exc: apsw.Error | OSError, file: Path) -> RefusalError:
    message, reason = _explained(exc)
    values = {"file": file, "folder": file.parent, "reason": reason}
    return RefusalError(message, texts.BACKUP_UNTOUCHED, values, exit_code=1)


def _explained(exc: apsw.Error | OSError) -> tuple[Text, str]:
    number = exc.errno if isinstance(exc, OSError) else None
    if isinstance(exc, apsw.FullError) or number in (errno.ENOSPC, errno.EDQUOT):
        return texts.BACKUP_NO_ROOM, ""
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return texts.BACKUP_NO_PERMISSION, os.strerror(number)
    return texts.BACKUP_FAILED, str(exc)
