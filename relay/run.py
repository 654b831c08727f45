"""`relay run`: all roles under a supervisor, or one of them alone."""

from __future__ import annotations

import resource
from pathlib import Path

from relay.process import run_role
from relay.supervisor import supervise

ROLES = ("all", "receiver", "router", "sender", "console")


def run(path: Path, role: str = "all") -> int:
    """Serve until SIGTERM or Ctrl-C and return the exit code.

    Raises `ConfigurationError`, or `StorageError` where the database is in use or cannot be used.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory holds secrets, a core dump would as well
    return supervise(path) if role == "all" else run_role(path, role)
