"""The listening sockets: systemd's where it passed some, otherwise our own; held for good."""

from __future__ import annotations

import os
import socket

import structlog

from relay.config import Config, texts
from relay.errors import ConfigurationError, Problem

log = structlog.get_logger("relay.supervisor")

BACKLOG = 2048
PASSED = 3  # the first socket that systemd passes; see sd_listen_fds(3)
DOORS = {"server": "public", "console": "console"}  # what FileDescriptorName= calls the sockets of a table

Named = list[tuple[str, socket.socket]]


def open_doors(config: Config) -> dict[str, socket.socket]:
    """A socket for each role that has a door; raises `ConfigurationError`."""
    passed = _passed()
    doors = {"receiver": _listen("server", config.server.host, config.server.port, passed)}
    if config.console.enabled:
        doors["console"] = _listen("console", config.console.host, config.console.port, passed)
    _refuse_leftovers(passed)
    return doors


def _passed() -> Named:
    """The sockets that systemd opened for this process, with their names; children are not told of them."""
    told = {key: os.environ.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdecimal():
        return []
    names = told["LISTEN_FDNAMES"].split(":")
    count = int(told["LISTEN_FDS"])
    names += [""] * (count - len(names))
    return [(names[n], socket.socket(fileno=PASSED + n)) for n in range(count)]


def _listen(table: str, host: str, port: int, passed: Named) -> socket.socket:
    """The socket that was passed for this door, or one of our own."""
    for each in passed:
        name, given = each
        if name == DOORS[table] or (name not in DOORS.values() and given.getsockname()[:2] == (host, port)):
            passed.remove(each)
            log.info("socket_passed", door=DOORS[table], address=_address(given))
            return given
    return _bind(table, host, port)


def _refuse_leftovers(passed: Named) -> None:
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
