"""The programs that the demo starts: watched while they run, and gone when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from relay.cli import texts
from relay.cli.screen import clean
from relay.errors import RefusalError
from relay.language import Text

PATIENCE = 60.0  # seconds for a program to get ready
GRACE = 5.0  # seconds to end in order before it is killed
LOOK = 0.1  # seconds between two looks
LAST_LINES = 12
SERIOUS = frozenset({"warning", "error", "critical"})

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Child:
    """`relay COMMAND` as a process of its own, with its log in a file."""

    def __init__(
        self, name: Text, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._read = 0
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
                [sys.executable, "-m", "relay", *arguments, "--with-parent"],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours alone, and what it starts can be ended with it
            )

    def wait_until_ready(self, url: str) -> None:
        """Return when this address answers 200; `RefusalError` when it does not, or the program died."""
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            self.check()
            if time.monotonic() > deadline:
                raise self._trouble(texts.LATE, seconds=int(PATIENCE))
            time.sleep(LOOK)

    def check(self) -> None:
        """Raise `RefusalError` with its last words if the program has ended."""
        code = self._process.poll()
        if code is not None:
            raise self._trouble(texts.DIED, code=code)

    def _trouble(self, error: Text, **values: object) -> RefusalError:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        told = "\n".join(map(clean, lines))
        name = {"name": self.name}
        return ChildError(
            error, texts.LAST_LINES if told else texts.NO_WORDS, {**name, **values, "lines": told}
        )

    def warnings(self) -> Iterator[str]:
        """What its log has to say since the last look that somebody should know."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                told = _serious(line)
                if told:
                    yield told

    def ask_to_end(self) -> None:
        """Tell it to end in order."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def end(self) -> None:
        """Wait for its end, then make sure of it, for whatever it has started as well."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class ChildError(RefusalError):
    """A program of the demo did not do its part."""

    def __init__(self, error: Text, hint: Text, values: Mapping[str, object]) -> None:
        super().__init__(error, hint, values, exit_code=1)


def _serious(line: bytes) -> str | None:
    """A log line in words, if it is a warning or worse; a line that is no log line counts as one."""
    try:
        event = json.loads(line)
    except ValueError:
        return clean(line.decode("utf-8", "replace")) or None
    if not isinstance(event, dict) or event.get("level") not in SERIOUS:
        return None
    known = ("event", "level", "logger", "time", "exception")
    fields = [f"{name}={value}" for name, value in event.items() if name not in known]
    return clean(" ".join([f"{event['level']}: {event.get('event')}", *fields]))


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False
