"""One process for a role and a database: a lock file beside it, which the kernel lets go with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from relay.errors import StorageError
from relay.language import Text

ROLES = ("supervisor", "receiver", "router", "sender", "console")
SHARED = frozenset({"receiver", "console"})  # a new one is up before the old one goes

TAKEN = Text("已有一个 relay 在 {name} 上担任 {role}", "another relay already runs as {role} on {name}")
TAKEN_HINT = Text("先停掉那一个", "stop that one first")


class RoleLock:
    """Holds a role for as long as the process lives.

    Raises `StorageError` when another process has it: two senders would send everything twice.
    """

    def __init__(self, database: Path, role: str) -> None:
        self._file = os.open(database.with_name(database.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        os.set_inheritable(self._file, False)
        if role in SHARED:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, ROLES.index(role))
        except OSError as exc:
            os.close(self._file)
            raise StorageError(TAKEN.filled(role=role, name=database.name), TAKEN_HINT) from exc

    def release(self) -> None:
        """Let another process have the role."""
        os.close(self._file)
