"""One process of ours: it waits for a role, has it, shows life, and is buried with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from relay.process import GRACE
from relay.serving.hatch import Hatch
from relay.supervisor.pulse import Pulse
from relay.supervisor.warden import Warden
from relay.ties import BEAT, FOR_GOOD, LEAVING

log = structlog.get_logger("relay.supervisor")

START_LIMIT = 60.0  # seconds until a role serves: plugins may load slowly
LEAVE_LIMIT = GRACE + 1  # seconds until a role that was told to end has done so
IDLE_LIMIT = 3.0  # seconds for one that never served: it has nothing in hand, and may hang in a plugin
LAST_WORDS = 0.2  # seconds between the question where it hangs and its end


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to become."""

    role: str
    path: Path
    files: int  #: descriptor of bot.toml and .env as they were accepted
    door: socket.socket | None
    hatch: Hatch | None
    limit: float  #: seconds of silence after which it hangs


class Process(Protocol):
    """As its parent sees it."""

    pid: int
    returncode: int | None

    def wait(self) -> int:
        """Bury it, and return its exit code, negative for a signal."""


class Child:
    """A process that was started for one role, or that is to fork others; of a group of its own."""

    def __init__(self, process: Process, channel: socket.socket, role: str = "") -> None:
        """`channel` is the way to it until it has its role."""
        self.channel = channel
        self._process = process
        channel.setblocking(False)
        self._warden = Warden(self.pid)
        self.role = role
        self.started = time.monotonic()
        self.loaded = False
        self.serves = False
        self.leaving = False
        self._pulse: Pulse | None = None
        self._limit = START_LIMIT
        self._kill_at: float | None = None
        self._leave_by: float | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def pids(self) -> set[int]:
        """Its own, and that of whoever watches over it."""
        return {self.pid, self._warden.pid}

    @property
    def code(self) -> int:
        """How it ended, once it has."""
        return self._process.returncode or 0

    @property
    def pipe(self) -> int:
        """Where it says something next."""
        return (self._pulse or self.channel).fileno()

    def become(self, order: Order) -> None:
        """Give it its role; if it is dead, that shows at the next look."""
        self.role = order.role
        self.started = time.monotonic()
        self._limit = order.limit
        self._pulse = Pulse(self.started)
        descriptors = [self._pulse.lent, order.files]
        if order.door and order.hatch:
            lent = (order.door, order.hatch.giving, order.hatch.taking)
            descriptors += [each.fileno() for each in lent]
        self.obey(order.role, order.path, descriptors)
        self._pulse.hand_over()

    def obey(self, role: str, path: Path, descriptors: Sequence[int]) -> None:
        """Tell it what to be; no harm if it is dead."""
        told = json.dumps({"role": role, "path": str(path)}).encode()
        with contextlib.suppress(OSError):
            socket.send_fds(self.channel, [told], descriptors)

    def look(self, now: float) -> None:
        """Hear what it says; after too long a silence, ask it where it hangs, and end it."""
        if self._pulse is None:
            self._hear_loaded()
        else:
            self._hear(self._pulse, now)
        if self._leave_by is not None and now > self._leave_by:
            self.give_up(now)
        if self._kill_at is not None and now >= self._kill_at:
            self.kill()

    def _hear_loaded(self) -> None:
        with contextlib.suppress(OSError):
            if not self.loaded and self.channel.recv(1):
                self.loaded = True
                log.info("forkserver_loaded", pid=self.pid)

    def _hear(self, pulse: Pulse, now: float) -> None:
        said = pulse.hear(now)
        self.serves = self.serves or BEAT in said
        if LEAVING in said and not self.leaving:
            self.leaving = True
            self._leave_by = now + LEAVE_LIMIT
        if self._kill_at is None and pulse.silent > (self._limit if self.serves else START_LIMIT):
            log.error("role_hung", role=self.role, pid=self.pid, silent=round(pulse.silent, 1))
            self._end_soon(now)

    def give_up(self, now: float) -> None:
        """It was told to end, and has not."""
        if self._kill_at is None:
            log.warning("role_killed", role=self.role, pid=self.pid)
            self._end_soon(now)

    def _end_soon(self, now: float) -> None:
        """Let it say where it is before it is killed: faulthandler writes to the log."""
        self._signal(signal.SIGUSR1)
        self._kill_at = now + LAST_WORDS

    def leave(self, *, hurry: bool = False) -> None:
        """Tell it to end in order."""
        self._signal(FOR_GOOD)
        if hurry:
            self._signal(signal.SIGTERM)
        if self._leave_by is None:
            self._leave_by = time.monotonic() + (LEAVE_LIMIT if self.serves else IDLE_LIMIT)

    def kill(self) -> None:
        """End it, and all that it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:  # not buried yet, so the number is its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether it is over; if so, it is buried, and what it left behind is ended."""
        if self._process.returncode is None and _dead(self._process):
            self.bury()
        return self._process.returncode is not None

    def bury(self) -> None:
        """End what is left of it, and let go of all that belonged to it; no harm in doing so twice."""
        if self._process.returncode is not None:
            return
        self.kill()
        self._process.wait()
        self._warden.end()
        self.channel.close()
        if self._pulse is not None:
            self._pulse.close()


def _dead(process: Process) -> bool:
    """Whether it has ended, without letting its number go: its group is to be ended first."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13; the warden keeps the group's number there
        return isinstance(process, subprocess.Popen) and process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def bare() -> list[str]:
    """What keeps `-m` from finding modules in the folder it runs in, where we would not find them either."""
    return [] if {"", str(Path.cwd())} & set(sys.path) else ["-P"]
