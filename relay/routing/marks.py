"""What changes whenever a file of the bot's does, at the cost of no reading."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

MOST = 5000  # files; the folder of plugins may hold the world

Mark = tuple[int, int, int, int]
"""Two times, the size, and which file it is."""
Marks = Mapping[str, Mark]


def marks_of(path: Path, folder: Path) -> Marks:
    """Those of bot.toml, `.env` and every file that plugins in the folder are made of."""
    return dict(_marks(path, folder))


def _marks(path: Path, folder: Path) -> Iterator[tuple[str, Mark]]:
    """What changes whenever a file does: its times, its size, and which file it is."""
    for count, file in enumerate(_files(path, folder)):
        if count >= MOST:
            return
        with contextlib.suppress(OSError):
            stat = Path(file).stat()
            yield str(file), (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


def _files(path: Path, folder: Path) -> Iterator[str | Path]:
    yield path
    yield path.absolute().parent / ".env"
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.path
            elif not entry.name.startswith((".", "_")) and entry.is_dir():
                yield from _modules(entry.path)


def _modules(folder: str) -> Iterator[str]:
    """Those of a package, at whatever depth."""
    for above, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each != "__pycache__"]
        yield from (f"{above}/{file}" for file in files if file.endswith(".py"))
