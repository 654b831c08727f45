"""The hatch through which a door that leaves passes its idle connections to its successor, unclosed.

A kept connection may be used in the very moment in which it is closed, and that push is lost: TCP has no way
to ask first. So none is closed. Every process that has, had or will have the door holds both ends; what lies
between belongs to whoever takes it next, and until then its clients wait as they do in the door's own queue.
"""

from __future__ import annotations

import contextlib
import os
import socket

WORD = b"c"  # a descriptor cannot travel without a byte


class Hatch:
    """One door's; made once, by whoever holds the door."""

    def __init__(self, giving: socket.socket, taking: socket.socket) -> None:
        self.giving = giving
        self.taking = taking  #: readable when somebody has given
        self._open = True

    @classmethod
    def made(cls) -> Hatch:
        """A new one, whose two ends no process has yet but this."""
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        return cls(*ends)

    @classmethod
    def lent(cls, giving: int, taking: int) -> Hatch:
        """One that was made elsewhere, by its descriptors."""
        return cls(socket.socket(fileno=giving), socket.socket(fileno=taking))

    @property
    def open(self) -> bool:
        """Whether somebody takes, now or in a moment."""
        return self._open

    def give(self, descriptor: int) -> bool:
        """Pass a connection on; true when it is the successor's, and is to be let go of here."""
        if not self._open:
            return False
        try:
            socket.send_fds(self.giving, [WORD], [descriptor])
        except BlockingIOError:  # full: in a moment there is room
            return False
        except OSError:  # shut; or more are under way than the system lets be
            self._open = False
            return False
        return True

    def take(self) -> socket.socket | None:
        """The next connection that was given; None where there is none."""
        try:
            said, descriptors, _, _ = socket.recv_fds(self.taking, len(WORD), 1)
        except BlockingIOError:
            return None
        if not said:
            self._open = False
        for each in descriptors:
            os.set_inheritable(each, False)
            return socket.socket(fileno=each)
        return None

    def abandon(self) -> None:
        """Give nothing from here on: this process has no successor."""
        self._open = False

    def shut(self) -> None:
        """Let nobody give any more, in whichever process: there are no successors."""
        self._open = False
        with contextlib.suppress(OSError):
            self.giving.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of both ends."""
        self.giving.close()
        self.taking.close()
