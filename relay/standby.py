"""A process that is told through a socket which role it is to have; what roles need may be loaded by then.

    python -m relay.standby CHANNEL LIFELINE ROLE

The channel brings one order: the role and the path, with a pipe for the pulse, the files as they were
accepted, and, for a role with a door, its socket and both ends of its hatch. Nothing of the configuration
is read before.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from relay.config import Files

LONGEST = 65536  # bytes of an order
DESCRIPTORS = 5
HTTP = ("relay.serving.server", "uvicorn.lifespan.off")
CHECK = "check"
"""A role that begins and ends with one look at files; see `relay/supervisor/check.py`."""
TRIAL = "relay.supervisor.trial"
NEEDS = {
    "receiver": ("relay.receiving.door", "relay.store.spool", *HTTP),
    "router": (
        "relay.routing.router",
        "relay.routing.pipeline",
        "relay.authoring.names",
        "relay.authoring.state",
        "relay.routing.calls",
        "relay.routing.blackbox",
        "relay.routing.swap",
        "relay.routing.uptake",
    ),
    "sender": (
        "relay.sending.sender",
        "relay.sending.client",
        "relay.sending.attempts",
        "relay.sending.lanes",
        "relay.sending.retention",
    ),
    "console": ("relay.console.app", *HTTP),
    CHECK: (TRIAL,),
}
"""What each role loads when it is built; see `relay/roles.py`."""


def main(arguments: Sequence[str]) -> int:
    """Load, then wait for the order and carry it out; returns the exit code."""
    channel, lifeline, role = socket.socket(fileno=int(arguments[0])), int(arguments[1]), arguments[2]
    brace()
    load([role])
    return obey(channel, lifeline)


def brace() -> None:
    """Be ready for the question where it hangs; the answer goes to the log."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # works while a pattern holds the interpreter
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTTOU):  # the terminal's; the supervisor decides
        signal.signal(number, signal.SIG_IGN)


def load(roles: Iterable[str]) -> None:
    """Import what these roles need; nothing of it starts a thread or opens a file for good."""
    for role in roles:
        for module in ("uvloop", "relay.process", *NEEDS[role]):
            import_module(module)


def obey(channel: socket.socket, lifeline: int) -> int:
    """Wait for the order and carry it out; returns the exit code."""
    told: bytes = b""
    with channel, contextlib.suppress(ConnectionError):  # the supervisor is gone
        told, descriptors, _, _ = socket.recv_fds(channel, LONGEST, DESCRIPTORS)
    return _become(json.loads(told), lifeline, descriptors) if told else 0


def _become(order: dict[str, Any], lifeline: int, descriptors: Sequence[int]) -> int:
    if order["role"] == CHECK:
        be_called(CHECK)
        code: int = import_module(TRIAL).try_out(Path(order["path"]), *descriptors)
        return code
    from relay.process import run_role
    from relay.serving.hatch import Hatch
    from relay.ties import Ties

    pulse, files, *door = descriptors
    os.set_blocking(pulse, False)
    for each in descriptors:
        os.set_inheritable(each, False)
    be_called(order["role"])
    ties = Ties(lifeline, pulse, files=_files(files))
    if door:
        ties.door, ties.hatch = door[0], Hatch.lent(*door[1:])
    try:
        return run_role(Path(order["path"]), order["role"], ties)
    finally:
        ties.cut()


def _files(descriptor: int) -> Files:
    with os.fdopen(descriptor, "rb") as file:
        text = os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
    return {name: held.encode("latin-1") for name, held in json.loads(text).items()}


def be_called(name: str) -> None:
    """Have `top` and `ps -e` show it, where the system lets it be set."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"relay {name}"[:15], "ascii")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
