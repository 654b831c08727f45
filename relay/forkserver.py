"""A process that has loaded what all roles need, and forks one whenever the supervisor asks for it.

    python -m relay.forkserver CHANNEL LIFELINE

It says so once it has loaded. Each request is a byte with a descriptor: the channel of the process that is
wanted (see `relay/standby.py`); the answer is its process id. It has no configuration, no database, no
plugin and no thread, so that a fork is a copy of nothing but modules.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import struct
import sys
from collections.abc import Sequence

from relay.standby import NEEDS, be_called, brace, load, obey

LOADED = b"."
WANTED = b"f"
BORN = struct.Struct("!i")  #: the answer: a process id, or
NOBODY = -1


def main(arguments: Sequence[str]) -> int:
    """Serve the supervisor that started this process."""
    return serve(socket.socket(fileno=int(arguments[0])), int(arguments[1]))


def serve(control: socket.socket, lifeline: int) -> int:
    """Load and fork until the supervisor is gone; in a forked process, carry out its order."""
    brace()
    be_called("forks")  # 15 characters are shown
    load(NEEDS)
    gc.collect()
    gc.freeze()  # or the collector of each process would write to all that they share
    control.sendall(LOADED)
    while (channel := _wanted(control, lifeline)) is not None:
        born = _fork()
        if born is None:
            control.close()
            return obey(channel, lifeline)
        channel.close()
        control.sendall(BORN.pack(born))
    return 0


def _wanted(control: socket.socket, lifeline: int) -> socket.socket | None:
    """The channel of the next process; None once the supervisor is gone."""
    ready, _, _ = select.select([control.fileno(), lifeline], [], [])
    if lifeline in ready:
        return None
    try:
        said, descriptors, _, _ = socket.recv_fds(control, len(WANTED), 1)
    except ConnectionError:
        return None
    return socket.socket(fileno=descriptors[0]) if said and descriptors else None


def _fork() -> int | None:
    """The process id of a process that is nobody's child, so that the supervisor adopts it; None in itself.

    It is adopted when this returns: a process lets go of its children before its parent hears of its end.
    Where there can be no process, `NOBODY`.
    """
    ours, theirs = os.pipe()
    try:
        between = os.fork()
    except OSError:
        between = NOBODY
    if between == 0:
        _bear(theirs)
        os.close(ours)
        return None
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read(BORN.size)
    if between != NOBODY:
        os.waitpid(between, 0)
    born: int = BORN.unpack(told or BORN.pack(NOBODY))[0]
    return born


def _bear(theirs: int) -> None:
    """Fork, tell who was born and end; it is the child that returns."""
    try:
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)  # what plugins start can be ended with it
            os.close(theirs)
            return
        os.setpgid(child, child)  # whoever is first: the group is there when its number is told
        os.write(theirs, BORN.pack(child))
    except OSError:  # nothing was told: there can be no process now
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
