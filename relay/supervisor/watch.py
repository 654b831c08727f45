"""Notices that bot.toml, `.env` or a plugin's file has changed, and waits until it stays as it is."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from relay.config import Files
from relay.errors import ConfigurationError
from relay.routing.marks import Marks, marks_of
from relay.supervisor.check import files_now

log = structlog.get_logger("relay.supervisor")

LOOK = 0.25  # seconds between two looks
SETTLE = 0.15  # seconds after which a change is looked at once more
RACY = 2.5  # seconds in which a file may change again and show the same time: some disks count in twos
SPARING = 50  # a look that took long is followed by a pause so many times as long


class Watch:
    """Of one bot. Asks the file system for nothing but times, until one of them is new."""

    def __init__(self, path: Path, folder: Path, files: Files) -> None:
        """`files` are what runs, and `folder` that of the plugins."""
        self._path = path
        self.follow(folder, files)
        self._known: Files | ConfigurationError = files
        self._seen: Marks = {}
        self._found: Files | ConfigurationError | None = None
        self._racy_until = 0.0
        self._next = 0.0
        self._gone = False

    def news(self, now: float) -> Files | None:
        """What the files hold, once that is new and two looks agree on it.

        Raises `ConfigurationError` where bot.toml cannot be read any more; all of it is told once.
        """
        if now < self._next:
            return None
        begun = time.monotonic()
        marks = marks_of(self._path, self._folder)
        took = time.monotonic() - begun
        found = self._look(now, marks)
        self._next = now + max(SETTLE if self._found is not None else LOOK, took * SPARING)
        if isinstance(found, ConfigurationError):
            raise found
        return found

    def follow(self, folder: Path, files: Files) -> None:
        """These run from now on, and the plugins are in this folder."""
        self._folder = folder
        self._settings = {name: held for name, held in files.items() if not Path(name).is_absolute()}

    def _look(self, now: float, marks: Marks) -> Files | ConfigurationError | None:
        changed, self._seen = marks != self._seen, marks
        if changed:
            self._racy_until = now + RACY
        if not changed and self._found is None and now > self._racy_until:
            return None
        found = self._read()
        if changed or not _same(found, self._found) or marks_of(self._path, self._folder) != marks:
            self._found = found  # the next look is to find it again
            return None
        self._found = None
        if _same(found, self._known):
            return None
        self._known = found
        return found

    def _read(self) -> Files | ConfigurationError:
        try:
            files = files_now(self._path, self._folder, self._settings)
        except ConfigurationError as exc:
            return exc
        gone = not self._folder.is_dir() and bool(self._of_plugins())
        if gone and not self._gone:
            log.warning("plugins_folder_gone", folder=str(self._folder))
        self._gone = gone
        return {**files, **self._of_plugins()} if gone else files

    def _of_plugins(self) -> Files:
        known = {} if isinstance(self._known, ConfigurationError) else self._known
        return {name: held for name, held in known.items() if Path(name).is_absolute()}


def _same(one: Files | ConfigurationError | None, other: Files | ConfigurationError | None) -> bool:
    if isinstance(one, ConfigurationError) and isinstance(other, ConfigurationError):
        return str(one) == str(other)
    return one == other
