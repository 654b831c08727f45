"""Keep every role filled, pass signals on, and replace everything at a reload. Nothing here can hang."""

from __future__ import annotations

import itertools
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from relay.config import Config, Files, load, texts
from relay.errors import ConfigurationError, Problem
from relay.process import GRACE
from relay.supervisor.check import Check
from relay.supervisor.child import Child, Order
from relay.supervisor.post import Post
from relay.supervisor.signals import Signals
from relay.supervisor.start import Start

log = structlog.get_logger("relay.supervisor")

LOOK = 0.2  # seconds between two looks at the children
STOP_LIMIT = GRACE + 0.4  # seconds until what has not ended is killed
HANG_LIMIT = 10.0  # seconds without a sign of life; the router's is the time that plugins have
SHORTEST_LIMIT = 2.0
LATER = 0.8  # seconds by which the console lets the others go first
ROLES = ("receiver", "router", "sender", "console")
FIXED = (("server", "host"), ("server", "port"), ("console", "host"), ("console", "port"), ("storage", "url"))


class Supervisor:
    """Runs from the first start of all roles to the last one's end."""

    def __init__(  # noqa: PLR0913, RUF100 - what was opened and begun before
        self,
        path: Path,
        config: Config,
        files: Files,
        doors: dict[str, socket.socket],
        signals: Signals,
        start: Start,
    ) -> None:
        self._path = path
        self._config = config
        self._files = _shelved(files)
        self._signals = signals
        self._forks = start.forks
        self._moving = False  #: whether all roles are to be replaced, once there are processes to be had
        self._posts = [
            Post(role, doors.get(role), self._child_for, self._begin_at(role))
            for role in ROLES
            if role != "console" or config.console.enabled
        ]
        self._check: Check | None = None

    def run(self) -> None:
        """Serve until told to stop."""
        while not self._signals.stopping:
            self._reload_if_asked()
            self._tend()
            self._wait(self._children())
        self._stop()

    def _children(self) -> Iterator[Child]:
        return itertools.chain(*(post.children() for post in self._posts), self._forks.children())

    def _tend(self) -> None:
        now = self._look(self._children())
        if self._moving and self._forks.settled:
            self._moving = False
            for post in self._posts:
                post.replace()
        for post in self._posts:
            post.tend(now)
        self._forks.tend(now, self._pids())

    def _pids(self) -> set[int]:
        """Every process that we started, or had forked, but the fork server."""
        checking = self._check.pids if self._check is not None else set[int]()
        return checking.union(*(child.pids for post in self._posts for child in post.children()))

    def _look(self, children: Iterable[Child]) -> float:
        now = time.monotonic()
        for child in children:
            child.look(now)
        return now

    def _wait(self, children: Iterable[Child]) -> None:
        self._signals.wait(LOOK, [child.pipe for child in children])

    def _child_for(self, post: Post) -> Child | None:
        """A process with the role that it is to have; None where there is none yet."""
        child = self._forks.child(post.role)
        if child is not None:
            limit = self._limit(post.role)
            child.become(Order(post.role, self._path, self._files, post.door, post.hatch, limit))
        return child

    def _begin_at(self, role: str) -> float:
        """When it is begun at the start: no message waits for the console."""
        return time.monotonic() + (LATER if role == "console" else 0.0)

    def _limit(self, role: str) -> float:
        """How long a role may be silent."""
        if role != "router":
            return HANG_LIMIT
        plugins = self._config.plugins
        return max(SHORTEST_LIMIT, *(each.seconds for each in (plugins.timeout, *plugins.timeouts.values())))

    # -- reload ----------------------------------------------------------------

    def _reload_if_asked(self) -> None:
        """Look whether a reload was asked for, or one that was passes the check; never wait for it."""
        try:
            if self._signals.take_reload():
                self._begin_check()
            if self._check is not None and self._check.over():
                self._reload(self._check)
        except ConfigurationError as exc:
            self._end_check()
            for problem in exc.problems:
                log.error("reload_refused", problem=str(problem))

    def _begin_check(self) -> None:
        self._end_check()
        self._check = Check(self._path)

    def _end_check(self) -> None:
        if self._check is not None:
            self._check.end()
            self._check = None

    def _reload(self, check: Check) -> None:
        check.judge(strictly=True)
        if check.outdated():
            self._begin_check()
            return
        config = load(self._path, files=check.files)
        self._refuse_moves(config)
        self._end_check()
        self._config = config
        os.close(self._files)
        self._files = _shelved(check.files)
        log.info("reloading")
        self._forks.renew()
        self._moving = True

    def _refuse_moves(self, config: Config) -> None:
        """What the sockets and the database are bound to cannot change under them."""
        moved = [
            f"{table}.{key}"
            for table, key in FIXED
            if getattr(getattr(config, table), key) != getattr(getattr(self._config, table), key)
        ]
        if config.console.enabled != self._config.console.enabled:
            moved.append("console.enabled")
        if moved:
            raise ConfigurationError(tuple(Problem(path, texts.NEEDS_RESTART) for path in moved))

    # -- the end ---------------------------------------------------------------

    def _stop(self) -> None:
        self._end_check()
        self._forks.end()
        for post in self._posts:
            post.shut()
        left = list(self._children())
        for child in left:
            child.leave(hurry=True)
        until = time.monotonic() + STOP_LIMIT
        while left := [child for child in left if not child.ended()]:
            now = self._look(left)
            for child in left:
                if now > until:
                    child.give_up(now)
            self._wait(left)
        os.close(self._files)


def _shelved(files: Files) -> int:
    """A descriptor of a file without a name that holds these files; children read them from there."""
    text = json.dumps({name: held.decode("latin-1") for name, held in files.items()}).encode()
    if hasattr(os, "memfd_create"):
        shelf = os.memfd_create("relay-configuration")
    else:
        with tempfile.TemporaryFile() as file:
            shelf = os.dup(file.fileno())
    os.write(shelf, text)
    return shelf
