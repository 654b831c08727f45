"""What the start begins before anything is read: the lifeline, and the loading of what roles need."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

from relay.forkserver import serve
from relay.supervisor.child import Child
from relay.supervisor.forks import Forked, Forks
from relay.supervisor.signals import Signals
from relay.supervisor.sockets import PASSED

LOOK = 0.2  # seconds between two looks at who loads


class Start:
    """Nobody reads the configuration before an order, so a start that fails finds nothing done.

    The first fork server is a copy of this process, which has loaded half of it already; later ones are
    started, since files may have changed. In the copy this never returns: `SystemExit` ends it.
    """

    def __init__(self) -> None:
        self.lifeline, self._held = os.pipe()
        self.forks = Forks(self.lifeline, self._copied)

    def _copied(self) -> Child | None:
        """The first fork server; None where a copy of this process would lack its threads."""
        if threading.active_count() > 1:
            return None
        channel, told = socket.socketpair()
        pid = os.fork()
        if pid:
            os.setpgid(pid, pid)
            told.close()
            return Child(Forked(pid), channel)
        os.setpgid(0, 0)
        os.close(self._held)  # or it would never see the end of it
        channel.close()
        _let_go()
        _look_away()
        sys.exit(serve(told, self.lifeline))

    def wait(self, signals: Signals) -> None:
        """Return once processes can be had, or somebody says that none is to be."""
        while not self.forks.settled and not signals.stopping:
            signals.wait(LOOK, [child.pipe for child in self.forks.children()])
            now = time.monotonic()
            for child in self.forks.children():
                child.look(now)
            self.forks.tend(now, set())

    def end(self) -> None:
        """Let go of all that was begun; children end, if they have not, with their lifeline."""
        self.forks.end()
        for child in self.forks.children():
            child.bury()
        for end in (self._held, self.lifeline):
            os.close(end)


def _look_away() -> None:
    """Read nothing from the terminal."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _let_go() -> None:
    """Hold none of the sockets that systemd passed, and tell nobody of them: roles get those they need."""
    told = {key: os.environ.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] == str(os.getppid()) and told["LISTEN_FDS"].isdecimal():
        os.closerange(PASSED, PASSED + int(told["LISTEN_FDS"]))
