"""`relay check` as a process of its own: what plugins run on import must neither run nor hang here."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay.config import Files, load, read_files, texts
from relay.errors import ConfigurationError, Problem
from relay.language import Said
from relay.routing.loader import held_now
from relay.supervisor.warden import Warden

CHECK_TIMEOUT = 60.0  # seconds
NICENESS = 5  # the receiver, where there is one already, goes first


class Check:
    """One check of what the files hold now, plugins included; `ConfigurationError` for one unreadable."""

    def __init__(self, path: Path, niceness: int = NICENESS) -> None:
        self._path = path
        self.files = _files(path)
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - until `end`; a pipe could fill up unread
        command = [sys.executable, "-m", "relay", "check", "--json", "--config", str(path)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
            command, stdin=subprocess.DEVNULL, stdout=self._told, stderr=subprocess.DEVNULL, process_group=0
        )
        with contextlib.suppress(OSError):  # it is over already
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
        self._warden = Warden(self._process.pid)
        self._until = time.monotonic() + CHECK_TIMEOUT

    @property
    def pids(self) -> set[int]:
        """Its process, and whoever watches over it."""
        return {self._process.pid, self._warden.pid}

    def over(self) -> bool:
        """Whether it has ended, or has had its time."""
        return self._process.poll() is not None or time.monotonic() > self._until

    def end(self) -> None:
        """Let go of it and of what plugins started in it, whether it is over or not."""
        if self._told.closed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # the warden keeps this number from being reused
        self._process.wait()
        self._warden.end()
        self._told.close()

    def outdated(self) -> bool:
        """Whether the files hold something else by now than when it began."""
        return _files(self._path) != self.files

    def judge(self, *, strictly: bool) -> None:
        """Raise `ConfigurationError` for what it found.

        At the start a plugin that does not load is told of and left out; a reload (`strictly`) refuses it.
        """
        try:
            rows = self._rows()
        except (TimeoutError, ValueError, LookupError) as exc:
            problem = Problem("plugins", texts.CHECK_FAILED.filled(reason=type(exc).__name__))
            raise ConfigurationError((problem,)) from exc
        found = [_problem(row) for row in rows]
        grave = [each for each, row in zip(found, rows, strict=True) if strictly or "line" not in row]
        if grave:
            raise ConfigurationError(tuple(grave))

    def _rows(self) -> list[dict[str, Any]]:
        if self._process.poll() is None:
            raise TimeoutError
        self._told.seek(0)
        rows: list[dict[str, Any]] = json.loads(self._told.read())["problems"]
        return rows


def _files(path: Path) -> Files:
    """What the configuration and the files of its plugins hold now."""
    files = read_files(path)
    try:
        folder = load(path, files=files).plugins.folder
    except ConfigurationError:  # the check tells why
        return files
    return {**files, **held_now(folder)}


def _problem(row: Mapping[str, Any]) -> Problem:
    """A problem as `relay check` told it to programs; the English is for the log."""
    english = row["english"]
    message = Said(row["message"], english["message"], row["code"])
    hint = Said(row["hint"], english["hint"]) if row["hint"] is not None else None
    return Problem(row["path"], message, row["value"], hint)
