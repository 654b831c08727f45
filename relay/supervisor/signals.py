"""What the supervisor is told by signals; they are noted, and nothing is done in a handler."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Iterator
from types import FrameType


class Signals:
    """The signals that came, and a way to wait for the next."""

    def __init__(self) -> None:
        self._noted: set[int] = set()
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Heed them meanwhile."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._wake)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._noted.add(number)

    @property
    def stopping(self) -> bool:
        """Whether SIGTERM or Ctrl-C came."""
        return bool(self._noted & {signal.SIGTERM, signal.SIGINT})

    def take_reload(self) -> bool:
        """Whether SIGHUP came since the last look."""
        asked = signal.SIGHUP in self._noted
        self._noted.discard(signal.SIGHUP)
        return asked

    def wait(self, seconds: float, pipes: Iterable[int] = ()) -> None:
        """Return at the next signal, when a pipe has something to say, or after so long."""
        select.select([self._woken, *pipes], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
