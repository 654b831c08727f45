"""A shell that outlives the supervisor by some seconds, and then ends what is left of a process group.

A role ends by itself when its lifeline does; but a pattern that holds the interpreter hears nothing, and
neither do the children of a plugin. The shell is of their group, so the group's number stays its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess

from relay.process import GRACE

PATIENCE = int(GRACE) + 4  # seconds that a role has for its own end
SCRIPT = 'read -r _; sleep "$0"; kill -9 0'


class Warden:
    """Watches over one process group until it is ended, or the group is."""

    def __init__(self, group: int, patience: int = PATIENCE) -> None:
        # A pipe of its own: an event loop that waits on the roles' lifeline makes that one non-blocking
        # for everybody, and `read` would return at once.
        lifeline, self.held = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # the group is gone; or no shell
            self._process = subprocess.Popen(  # noqa: S603 - words of our own
                ["/bin/sh", "-c", SCRIPT, str(patience)],
                stdin=lifeline,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=group,
            )
        os.close(lifeline)

    @property
    def pid(self) -> int:
        """The shell's process id; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    def end(self) -> None:
        """Its work is done."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        os.close(self.held)
