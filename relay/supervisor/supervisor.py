"""Keep every role filled, pass signals on, and replace everything at a reload. Nothing here can hang."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from relay.config import Config, Files
from relay.errors import ConfigurationError
from relay.process import GRACE
from relay.routing.handover import Handover
from relay.standby import CHECK
from relay.supervisor.changes import Change, Changes, tell_refused
from relay.supervisor.child import Child, Order
from relay.supervisor.post import Post
from relay.supervisor.shelf import shelved
from relay.supervisor.signals import Signals
from relay.supervisor.start import Start

log = structlog.get_logger("relay.supervisor")

LOOK = 0.2  # seconds between two looks at the children
STOP_LIMIT = GRACE + 0.4  # seconds until what has not ended is killed
HANG_LIMIT = 10.0  # seconds without a sign of life; the router's is the time that plugins have
SHORTEST_LIMIT = 2.0
LATER = 0.8  # seconds by which the console lets the others go first
ROLES = ("receiver", "router", "sender", "console")


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
        self._files = files
        self._shelf = shelved(files)
        self._signals = signals
        self._forks = start.forks
        self._coming: Change | None = None  #: for which all roles are replaced, once the program has loaded
        self._posts = [
            Post(role, doors.get(role), self._child_for, self._begin_at(role))
            for role in ROLES
            if role != "console" or config.console.enabled
        ]
        self._changes = Changes(path, config, files, lambda: self._forks.child(CHECK))
        self._handover = Handover(config.database)
        self._handover.withdraw()  # what an earlier one left

    def run(self) -> None:
        """Serve until told to stop."""
        while not self._signals.stopping:
            self._reload_if_changed()
            self._tend()
            self._wait(self._children())
        self._stop()

    def _children(self) -> Iterator[Child]:
        return itertools.chain(*(post.children() for post in self._posts), self._forks.children())

    def _tend(self) -> None:
        now = self._look(self._children())
        if self._coming is not None:
            self._come(self._coming, now)
        for post in self._posts:
            post.tend(now)
        self._forks.tend(now, self._pids())

    def _pids(self) -> set[int]:
        """Every process that we started, or had forked, but the fork server."""
        return self._changes.pids.union(*(child.pids for post in self._posts for child in post.children()))

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
            child.become(Order(post.role, self._path, self._shelf, post.door, post.hatch, limit))
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

    def _reload_if_changed(self) -> None:
        """Take what has changed, or was asked for, once it has passed its check; never wait for it."""
        try:
            change = self._changes.step(time.monotonic(), asked=self._signals.take_reload())
        except ConfigurationError as exc:
            tell_refused(exc)
            return
        if change is not None:
            self._take(change)

    def _take(self, change: Change) -> None:
        coming = self._coming
        if coming is None and not change.whole and self._handed_over(change.files):
            self._run_from_now_on(change)
            return
        if coming is None or change.whole:
            log.info("reloading")
            self._forks.renew()
        self._coming = change if coming is None else replace(change, whole=change.whole or coming.whole)

    def _come(self, change: Change, now: float) -> None:
        """Replace all roles once the program on disk has loaded; if it does not, those that run go on."""
        try:
            if not self._forks.renewed(now):
                return
        except ConfigurationError as exc:
            tell_refused(exc)
            self._coming = None
            self._changes.revert(change, self._config, self._files)
            return
        self._coming = None
        self._run_from_now_on(change)
        self._handover.withdraw()
        for post in self._posts:
            post.replace()

    def _run_from_now_on(self, change: Change) -> None:
        self._config, self._files = change.config, change.files
        os.close(self._shelf)
        self._shelf = shelved(change.files)

    def _handed_over(self, files: Files) -> bool:
        """Whether the router that runs will find these files, and swap the plugins that differ."""
        try:
            self._handover.offer(files)
        except OSError as exc:  # no room on the disk: a router that begins anew needs none
            log.warning("plugins_not_handed_over", error=str(exc))
            return False
        log.info("plugins_changed")
        return True

    # -- the end ---------------------------------------------------------------

    def _stop(self) -> None:
        self._changes.end()
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
        self._handover.withdraw()
        os.close(self._shelf)
