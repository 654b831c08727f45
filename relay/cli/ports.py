"""Ports that are free on this machine."""

from __future__ import annotations

import socket

from relay.cli import texts
from relay.errors import RefusalError

HOST = "127.0.0.1"
SIMULATOR_PORT = 8090
PUBLIC_PORT = 8080
CONSOLE_PORT = 8081


def is_free(host: str, port: int) -> bool:
    """Whether a program could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def refuse_taken(host: str, port: int, option: str) -> None:
    """Raise `RefusalError` where another program has the port."""
    if not is_free(host, port):
        values = {"port": port, "option": option}
        raise RefusalError(texts.PORT_TAKEN, texts.PORT_TAKEN_HINT, values, exit_code=1)


def chosen(port: int | None, wanted: int, option: str) -> int:
    """The port asked for, which must be free; else the usual one, or any other where that is taken."""
    if port is not None:
        refuse_taken(HOST, port, option)
        return port
    return wanted if is_free(HOST, wanted) else any_free()


def any_free() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
