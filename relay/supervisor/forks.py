"""Where processes for roles come from: a fork server that has loaded everything, or a start of their own."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import structlog

from relay.errors import ConfigurationError, Problem
from relay.forkserver import BORN, NOBODY, WANTED
from relay.language import Said, Text
from relay.supervisor.adoption import adopt, bury_others
from relay.supervisor.child import START_LIMIT, Child, bare

log = structlog.get_logger("relay.supervisor")

RETRY = 5.0  # seconds after a fork server that died
ANSWER = 1.0  # seconds that it has for a fork; it takes 5 ms
BURIALS = 5.0  # seconds between two looks for what plugins left behind

NOT_LOADED = Text("磁盘上的程序无法载入：{reason}", "the program on disk does not load: {reason}", "program")
DIED = Text("进程退出，代码 {code}", "its process ended with code {code}")
SILENT = Text("{limit} 秒内没有载入完", "it took longer than {limit} s")
NO_PROCESS = Text("没有进程可用", "there was no process for it")
GOES_ON = Text(
    "原来的继续运行；原因见前面的日志，改好后再重新加载",
    "what runs goes on; the log above says where: mend it and reload again",
)


class Forked:
    """A process that was forked for us and that we have adopted; what `Popen` is to one that we started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


class Forks:
    """One fork server at a time, where the system lets us adopt what it forks; at a reload, its successor."""

    def __init__(self, lifeline: int, first: Callable[[], Child | None]) -> None:
        """`first` gives the first fork server, if it can."""
        self._lifeline = lifeline
        self._adopts = adopt()
        self._server = (first() or self._started_server()) if self._adopts else None
        self._successor: Child | None = None  #: which loads what is on disk now
        self._old: list[Child] = []
        self._next_at = 0.0
        self._burials_at = 0.0

    def children(self) -> Iterator[Child]:
        """The processes that have no role."""
        yield from self._old
        yield from (child for child in (self._server, self._successor) if child is not None)

    @property
    def settled(self) -> bool:
        """Whether a process can be had at once, or will not be had sooner by waiting."""
        return self._server is None or self._server.loaded

    def child(self, role: str) -> Child | None:
        """A process for this role; None while the fork server loads, or while there can be no process."""
        try:
            if self._server is None:
                return self._started("relay.standby", role)
            if self._server.loaded:
                return self._forked(self._server) or self._started("relay.standby", role)
        except OSError as exc:  # no more processes or descriptors for now
            log.error("no_process", role=role, error=type(exc).__name__)
        return None

    def tend(self, now: float, ours: set[int]) -> None:
        """Bury what has ended, and have a fork server again; `ours` are the processes of all others."""
        self._old = [child for child in self._old if not child.ended()]
        server = self._server
        if server is not None:
            if server.ended():
                log.warning("forkserver_died", code=server.code)
                self._server, self._next_at = None, now + (0.0 if server.loaded else RETRY)
            elif not server.loaded and now > server.started + START_LIMIT:
                self._dismiss(server)
        if self._server is None and self._adopts and now >= self._next_at:
            self._server = self._started_server()
        if self._adopts and now >= self._burials_at:
            self._burials_at = now + BURIALS
            bury_others(ours.union(*(child.pids for child in self.children())))

    def renew(self) -> None:
        """What it has loaded may have changed on disk: let another one load that, beside it."""
        if self._successor is not None:
            self._dismiss(self._successor)
        self._successor = self._started_server()

    def renewed(self, now: float) -> bool:
        """Whether processes have what was on disk at `renew`; `ConfigurationError` where it does not load.

        Until it has loaded, and if it does not, the one that was there goes on.
        """
        successor = self._successor
        if successor is None:
            raise _not_loaded(NO_PROCESS)
        if successor.loaded:
            self._succeed(successor)
            return True
        if successor.ended():
            self._successor = None
            raise _not_loaded(DIED.filled(code=successor.code))
        if now > successor.started + START_LIMIT:
            self._dismiss(successor)
            raise _not_loaded(SILENT.filled(limit=f"{START_LIMIT:g}"))
        return False

    def _succeed(self, successor: Child) -> None:
        """From here on it is the one; where nothing can be adopted, that it loads is all we want of it."""
        if self._server is not None:
            self._dismiss(self._server)
        if self._adopts:
            self._server, self._successor = successor, None
        else:
            self._dismiss(successor)

    def end(self) -> None:
        """Nobody is to be started any more."""
        self._adopts = False
        for each in (self._server, self._successor):
            if each is not None:
                self._dismiss(each)

    def _dismiss(self, child: Child) -> None:
        child.kill()
        self._old.append(child)
        self._server = None if child is self._server else self._server
        self._successor = None if child is self._successor else self._successor

    def _started_server(self) -> Child | None:
        try:
            return self._started("relay.forkserver")
        except OSError as exc:
            log.error("no_process", role="forkserver", error=type(exc).__name__)
            self._next_at = time.monotonic() + RETRY
            return None

    def _started(self, module: str, *role: str) -> Child:
        channel, told = socket.socketpair()
        with told:
            command = [sys.executable, *bare(), "-m", module, str(told.fileno()), str(self._lifeline), *role]
            process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
                command,
                pass_fds=(told.fileno(), self._lifeline),
                stdin=subprocess.DEVNULL,
                process_group=0,  # what plugins start can be ended with it
            )
        return Child(process, channel, *role)

    def _forked(self, server: Child) -> Child | None:
        """A process of its making; None if it does not answer, and then there is to be another one."""
        channel, told = socket.socketpair()
        born = NOBODY
        with told, contextlib.suppress(OSError):
            socket.send_fds(server.channel, [WANTED], [told.fileno()])
            if select.select([server.channel], [], [], ANSWER)[0]:
                born = BORN.unpack(server.channel.recv(BORN.size) or BORN.pack(NOBODY))[0]
        if born != NOBODY:
            return Child(Forked(born), channel)
        channel.close()
        log.warning("forkserver_silent", pid=server.pid)
        self._dismiss(server)
        return None


def _not_loaded(reason: Text | Said) -> ConfigurationError:
    return ConfigurationError((Problem("relay", NOT_LOADED.filled(reason=reason), hint=GOES_ON),))
