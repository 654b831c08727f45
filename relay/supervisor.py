"""Hold the sockets, start the roles, start again what dies, and pass signals on. Nothing here can hang."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from relay.clock import SystemClock
from relay.config import Config, load, texts
from relay.errors import ConfigurationError, Problem
from relay.language import Said
from relay.lock import RoleLock
from relay.process import GRACE, LIFELINE, READY, SOCKET, configure_log
from relay.roles import open_store

log = structlog.get_logger("relay.supervisor")

LOOK = 0.2  # seconds between two looks at the children
STEADY = 10.0  # a role that lived so long starts again at once
DELAYS = (0.0, 0.2, 1.0, 2.0, 5.0)  # seconds before a role that keeps dying starts again
CHECK_TIMEOUT = 60.0  # seconds for `relay check` in a process of its own
BACKLOG = 2048
PASSED = 3  # the first socket that systemd passes; see sd_listen_fds(3)
DOORS = {"server": "public", "console": "console"}  # what FileDescriptorName= calls the sockets of a table
FIXED = (("server", "host"), ("server", "port"), ("console", "host"), ("console", "port"), ("storage", "url"))


@dataclass(slots=True)
class _Child:
    """A role, and the process that has it now."""

    role: str
    socket: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float = 0.0
    ready: int = -1  #: a pipe that ends when the process serves, or is dead
    replaced: subprocess.Popen[bytes] | None = None  #: goes on until its successor serves
    leaving: list[subprocess.Popen[bytes]] = field(default_factory=list)


def supervise(path: Path) -> int:
    """Run all roles until SIGTERM or Ctrl-C, and return the exit code.

    Raises `ConfigurationError` for what `relay check` complains of, `StorageError` when this
    database has a relay already.
    """
    config = load(path)
    try:
        return _supervise(path, config)
    except ConfigurationError as exc:
        exc.language = config.bot.language
        raise


def _supervise(path: Path, config: Config) -> int:
    configure_log(config)
    check = _Check(path)
    try:
        check.wait()
        check.judge(strictly=False)
    finally:
        check.end()
    lock = RoleLock(config.database, "supervisor")
    try:
        open_store(config, SystemClock()).close()  # migrates, before anybody else looks
        return _Supervisor(path, config).run()
    finally:
        lock.release()


class _Check:
    """`relay check` as a process of its own: what plugins run on import must neither run nor hang here."""

    def __init__(self, path: Path) -> None:
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - until `end`; a pipe could fill up unread
        command = [sys.executable, "-m", "relay", "check", "--json", "--config", str(path)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
            command, stdin=subprocess.DEVNULL, stdout=self._told, stderr=subprocess.DEVNULL
        )
        self._until = time.monotonic() + CHECK_TIMEOUT

    def over(self) -> bool:
        """Whether it has ended, or has had its time."""
        return self._process.poll() is not None or time.monotonic() > self._until

    def wait(self) -> None:
        """Return when it is over."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CHECK_TIMEOUT)

    def end(self) -> None:
        """Let go of it, whether it is over or not."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._told.close()

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


def _problem(row: Mapping[str, Any]) -> Problem:
    """A problem as `relay check` told it to programs; the English is for the log."""
    english = row["english"]
    message = Said(row["message"], english["message"], row["code"])
    hint = Said(row["hint"], english["hint"]) if row["hint"] is not None else None
    return Problem(row["path"], message, row["value"], hint)


class _Supervisor:
    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._config = config
        self._lifeline, self._held = os.pipe()
        self._signals: list[int] = []
        self._check: _Check | None = None
        passed = _passed()
        self._children = [
            _Child("receiver", _listen("server", config.server.host, config.server.port, passed)),
            _Child("router"),
            _Child("sender"),
        ]
        if config.console.enabled:
            console = _listen("console", config.console.host, config.console.port, passed)
            self._children.append(_Child("console", console))
        _refuse_leftovers(passed)

    def run(self) -> int:
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(wake)
        try:
            while not self._stopping():
                self._reload_if_asked()
                self._tend()
                _wait(woken)
            return self._stop()
        finally:
            signal.set_wakeup_fd(-1)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _stopping(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _tend(self) -> None:
        """Bury what has died, and start what is due."""
        now = time.monotonic()
        for child in self._children:
            child.leaving = [process for process in child.leaving if process.poll() is None]
            _let_go(child)
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, now)
            if child.process is None and now >= child.start_at:
                self._start(child)

    def _bury(self, child: _Child, now: float) -> None:
        assert child.process is not None  # noqa: S101 - the caller has looked
        child.deaths = 0 if now - child.started > STEADY else child.deaths + 1
        delay = DELAYS[min(child.deaths, len(DELAYS) - 1)]
        child.start_at = now + delay
        code = child.process.returncode
        if code:
            log.warning("role_died", role=child.role, code=code, again_in=delay)
        child.process = None

    def _start(self, child: _Child) -> None:
        passed = [self._lifeline]
        own = {LIFELINE: str(self._lifeline)}
        told = -1
        if child.socket:
            child.ready, told = os.pipe()
            passed += [child.socket.fileno(), told]
            own |= {SOCKET: str(child.socket.fileno()), READY: str(told)}
        command = [sys.executable, "-m", "relay", "run", "--role", child.role, "--config", str(self._path)]
        child.process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
            command, env={**os.environ, **own}, pass_fds=passed, stdin=subprocess.DEVNULL
        )
        if told >= 0:
            os.close(told)
        child.started = time.monotonic()

    # -- reload ----------------------------------------------------------------

    def _reload_if_asked(self) -> None:
        """Look whether a reload was asked for, or one that was passes the check; never wait for it."""
        if signal.SIGHUP in self._signals:
            self._signals = [number for number in self._signals if number != signal.SIGHUP]
            self._end_check()
            self._check = _Check(self._path)
        if self._check is not None and self._check.over():
            self._reload(self._check)
            self._end_check()

    def _end_check(self) -> None:
        if self._check is not None:
            self._check.end()
            self._check = None

    def _reload(self, check: _Check) -> None:
        try:
            config = load(self._path)
            check.judge(strictly=True)
            self._refuse_moves(config)
        except ConfigurationError as exc:
            for problem in exc.problems:
                log.error("reload_refused", problem=str(problem))
            return
        self._config = config
        log.info("reloading")
        for child in self._children:
            self._replace(child)

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

    def _replace(self, child: _Child) -> None:
        """A role with a socket gets its successor first; the others let go before the next one takes over."""
        old = child.process
        if old is None:
            return
        if child.socket is None:
            old.terminate()  # `_tend` sees it end, and starts the next
            child.started = time.monotonic() - STEADY - 1
            return
        if child.replaced is not None:  # its own predecessor still serves
            old.terminate()
            child.leaving.append(old)
        else:
            child.replaced = old
        self._start(child)

    # -- the end ---------------------------------------------------------------

    def _stop(self) -> int:
        self._end_check()
        running = [child.process for child in self._children if child.process is not None]
        running += [child.replaced for child in self._children if child.replaced is not None]
        running += [process for child in self._children for process in child.leaving]
        for process in running:
            process.terminate()
        late = _outlast(running, GRACE)
        for process in late:
            log.warning("role_killed", pid=process.pid)
            process.kill()
            process.wait()
        for child in self._children:
            if child.socket is not None:
                child.socket.close()
        os.close(self._held)
        return 0


def _let_go(child: _Child) -> None:
    """End a predecessor once its successor serves: in between, both do."""
    if child.ready < 0 or not select.select([child.ready], [], [], 0)[0]:
        return
    served = bool(os.read(child.ready, 1))
    os.close(child.ready)
    child.ready = -1
    if served and child.replaced is not None:
        child.replaced.terminate()
        child.leaving.append(child.replaced)
        child.replaced = None


def _passed() -> list[tuple[str, socket.socket]]:
    """The sockets that systemd opened for this process, with their names; children are not told of them."""
    told = {key: os.environ.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdecimal():
        return []
    names = told["LISTEN_FDNAMES"].split(":")
    count = int(told["LISTEN_FDS"])
    names += [""] * (count - len(names))
    return [(names[n], socket.socket(fileno=PASSED + n)) for n in range(count)]


def _listen(table: str, host: str, port: int, passed: list[tuple[str, socket.socket]]) -> socket.socket:
    """The socket that was passed for this door, or one of our own."""
    for each in passed:
        name, given = each
        if name == DOORS[table] or (name not in DOORS.values() and given.getsockname()[:2] == (host, port)):
            passed.remove(each)
            log.info("socket_passed", door=DOORS[table], address=_address(given))
            return given
    return _bind(table, host, port)


def _refuse_leftovers(passed: list[tuple[str, socket.socket]]) -> None:
    """Whoever connected to a socket that nobody serves would wait for ever."""
    problems = [
        Problem("server.port", texts.NO_DOOR.filled(address=_address(each)), hint=texts.NO_DOOR_HINT)
        for _, each in passed
    ]
    if problems:
        raise ConfigurationError(tuple(problems))


def _address(listening: socket.socket) -> str:
    name = listening.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)


def _bind(table: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as exc:
        message = texts.CANNOT_LISTEN.filled(place=f"{host}:{port}", reason=exc.strerror)
        raise ConfigurationError((Problem(f"{table}.port", message, hint=texts.ANOTHER_PORT),)) from exc
    listening.listen(BACKLOG)
    return listening


def _wait(woken: int) -> None:
    ready, _, _ = select.select([woken], [], [], LOOK)
    if ready:
        os.read(woken, 4096)


def _outlast(processes: Iterable[subprocess.Popen[bytes]], seconds: float) -> list[subprocess.Popen[bytes]]:
    """Wait for processes to end, and return those that did not in time."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left and time.monotonic() < deadline:
        left = [process for process in left if process.poll() is None]
        time.sleep(0.02)
    return left
