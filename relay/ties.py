"""What ties a role to its supervisor: a lifeline that ends with it, a pulse that shows life, a lent door."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass

from relay.config import Files
from relay.serving.hatch import Hatch

PULSE = 0.25  # seconds between two beats
BEAT = b"."
LEAVING = b"E"
FOR_GOOD = signal.SIGUSR2  # the supervisor's order to end; SIGTERM to a role alone comes from elsewhere


@dataclass(slots=True)
class Ties:
    """File descriptors that came from the supervisor; a role that runs alone has none."""

    lifeline: int = -1
    pulse: int = -1
    door: int = -1
    hatch: Hatch | None = None
    files: Files | None = None  #: bot.toml and .env as they were when the supervisor accepted them
    orphaned: bool = False
    _beating: asyncio.Task[None] | None = None

    @property
    def supervised(self) -> bool:
        """Whether there is a supervisor; then it decides, not the terminal."""
        return self.lifeline >= 0

    @property
    def succeeded(self) -> bool:
        """Whether somebody takes over its door before it ends."""
        return self.supervised and self.door >= 0

    def lent(self) -> list[socket.socket] | None:
        """The socket to serve on, where the supervisor lent one."""
        return [socket.socket(fileno=self.door)] if self.door >= 0 else None

    def serving(self) -> None:
        """Say that the role serves; from now on the event loop must show that it runs."""
        if self.pulse >= 0:
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            self._say(BEAT)
            await asyncio.sleep(PULSE)

    def leaving(self) -> None:
        """Say that the role was told to end, by whomever: a successor is to begin."""
        self._say(LEAVING)

    def _say(self, what: bytes) -> None:
        if self.pulse >= 0:
            with contextlib.suppress(OSError):  # full, since the supervisor is stopped; or it is gone
                os.write(self.pulse, what)

    def quiet(self) -> None:
        """End the beats with the work."""
        if self._beating is not None:
            self._beating.cancel()

    def cut(self) -> None:
        """Where nobody is left to do it: end whatever plugins started, and with it this process."""
        if self.orphaned and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
