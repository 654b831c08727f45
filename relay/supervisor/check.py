"""A check as a process of its own: what plugins run on import must neither run nor hang here."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import structlog

from relay.config import Files, load, read_files, texts
from relay.config.syntax_texts import UNREADABLE
from relay.errors import ConfigurationError, Problem
from relay.routing.loader import held_now
from relay.standby import CHECK, TRIAL
from relay.supervisor.child import Child, bare
from relay.supervisor.shelf import shelved
from relay.supervisor.trial import Finding, read

log = structlog.get_logger("relay.supervisor")

CHECK_TIMEOUT = 60.0  # seconds
NICENESS = 5  # the receiver, where there is one already, goes first


class Check:
    """One check of these files, plugins included."""

    def __init__(
        self, path: Path, files: Files, child: Child | None = None, niceness: int = NICENESS
    ) -> None:
        """`child` was forked for it; without one, a process is started, or `OSError` raised."""
        self.files = files
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - until `end`; a pipe could fill up unread
        shelf = shelved(files)
        try:
            if child is None:
                self._child = _started(path, shelf, self._told.fileno())
            else:
                self._child = child
                child.obey(CHECK, path, [shelf, self._told.fileno()])
        finally:
            os.close(shelf)
        with contextlib.suppress(OSError):  # it is over already
            os.setpriority(os.PRIO_PROCESS, self._child.pid, niceness)
        self._until = time.monotonic() + CHECK_TIMEOUT

    @property
    def pids(self) -> set[int]:
        """Its process, and whoever watches over it."""
        return self._child.pids

    def over(self) -> bool:
        """Whether it has ended, or has had its time."""
        return self._child.ended() or time.monotonic() > self._until

    def end(self) -> None:
        """Let go of it and of what plugins started in it, whether it is over or not."""
        self._child.bury()
        self._told.close()

    def judge(self, *, strictly: bool) -> None:
        """Raise `ConfigurationError` for what it found.

        At the start a plugin that does not load is told of and left out; a reload (`strictly`) refuses it.
        """
        grave = [each.problem for each in self.findings() if strictly or not each.failed]
        if grave:
            raise ConfigurationError(tuple(grave))

    def findings(self) -> list[Finding]:
        """All that it found wrong; that it did not come to its end is a finding as well.

        Warnings go to the log, all on one line.
        """
        try:
            if not self._child.ended():
                raise TimeoutError
            self._told.seek(0)
            found = read(self._told.read())
        except (TimeoutError, ValueError, LookupError, TypeError) as exc:
            return [Finding("plugins", texts.CHECK_FAILED.filled(reason=type(exc).__name__))]
        warnings = [each for each in found if each.warning]
        if warnings:
            codes = ", ".join(dict.fromkeys(each.message.code for each in warnings))
            log.warning("configuration_warned", count=len(warnings), codes=codes, first=warnings[0].path)
        return [each for each in found if not each.warning]


def _started(path: Path, shelf: int, told: int) -> Child:
    channel, other = socket.socketpair()
    with other:
        process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
            [sys.executable, *bare(), "-m", TRIAL, str(path), str(shelf), str(told)],
            pass_fds=(shelf, told),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    return Child(process, channel)


def files_now(path: Path, folder: Path | None = None, known: Files | None = None) -> Files:
    """What the configuration and the files of its plugins hold now.

    `folder` is that of the plugins where the configuration cannot tell it, or is as `known`. Raises
    `ConfigurationError` for what is not readable.
    """
    files = read_files(path)
    if known is None or files != known:
        with contextlib.suppress(ConfigurationError):  # the check tells why
            folder = load(path, files=files).plugins.folder
    try:
        return files if folder is None else {**files, **held_now(folder)}
    except OSError as exc:
        problem = Problem("plugins.folder", UNREADABLE.filled(reason=exc.strerror or type(exc).__name__))
        raise ConfigurationError((problem,)) from exc
