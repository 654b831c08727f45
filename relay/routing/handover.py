"""New files of plugins on their way from who checked them to the living router: beside the database."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from relay.config import Files


class Handover:
    """Holds one set of files at most, the newest, and only until it is taken: bot.toml may hold secrets."""

    def __init__(self, database: Path) -> None:
        self._path, self._new, self._mine = (
            database.with_name(f"{database.name}.plugins{ending}") for ending in ("", ".new", ".taken")
        )

    def offer(self, files: Files) -> None:
        """Put these there, whole or not at all; raises `OSError`."""
        text = json.dumps({name: held.decode("latin-1") for name, held in files.items()})
        _forget(self._new)
        try:
            with os.fdopen(os.open(self._new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(text)
            self._new.replace(self._path)
        except OSError:
            _forget(self._new)
            raise

    def withdraw(self) -> None:
        """Whoever starts now is given newer files, or has them; nothing stays of what a killed one left."""
        for each in (self._path, self._new, self._mine):
            _forget(each)

    def begin(self) -> None:
        """Whoever takes from here on: what an earlier one took and did not come to read is out of date."""
        _forget(self._mine)

    def taken(self) -> Files | None:
        """What was offered since the last look, if anything was."""
        try:
            self._path.replace(self._mine)  # what is offered from here on is not lost with it
        except OSError:
            return None
        try:
            held = json.loads(self._mine.read_text("ascii"))
            return {name: text.encode("latin-1") for name, text in held.items()}
        except (OSError, ValueError, AttributeError):  # it is not of our making
            return None
        finally:
            _forget(self._mine)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
