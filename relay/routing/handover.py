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
        self._path = database.with_name(database.name + ".plugins")

    def offer(self, files: Files) -> None:
        """Put these there, whole or not at all; raises `OSError`."""
        text = json.dumps({name: held.decode("latin-1") for name, held in files.items()})
        new = self._path.with_name(self._path.name + ".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        new.replace(self._path)

    def withdraw(self) -> None:
        """Whoever starts now is given newer files, or has them."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def taken(self) -> Files | None:
        """What was offered since the last look, if anything was."""
        mine = self._path.with_name(self._path.name + ".taken")
        try:
            self._path.replace(mine)  # what is offered from here on is not lost with it
            text = mine.read_text("ascii")
            mine.unlink()
            return {name: held.encode("latin-1") for name, held in json.loads(text).items()}
        except (OSError, ValueError):
            return None
