"""`relay run`: hold the sockets, start the roles, mend what dies or hangs, pass signals on."""

from __future__ import annotations

from pathlib import Path

from relay.clock import SystemClock
from relay.config import Config, load
from relay.errors import ConfigurationError
from relay.lock import RoleLock
from relay.process import configure_log
from relay.roles import open_store
from relay.standby import CHECK
from relay.supervisor.check import Check, files_now
from relay.supervisor.signals import Signals
from relay.supervisor.sockets import open_doors
from relay.supervisor.start import Start
from relay.supervisor.supervisor import LOOK, Supervisor


def supervise(path: Path) -> int:
    """Run all roles until SIGTERM or Ctrl-C, and return the exit code.

    Raises `ConfigurationError` for what `relay check` complains of, `StorageError` when this
    database has a relay already.
    """
    start = Start()
    try:
        config = load(path)
        try:
            _supervise(path, config, start)
        except ConfigurationError as exc:
            exc.language = config.bot.language
            raise
    finally:
        start.end()
    return 0


def _supervise(path: Path, config: Config, start: Start) -> None:
    configure_log(config)
    signals = Signals()
    with signals.heeded():
        start.wait(signals)
        check = Check(path, files_now(path), start.forks.child(CHECK), niceness=0)
        try:
            while not check.over() and not signals.stopping:
                signals.wait(LOOK)  # its end is a signal
            if signals.stopping:
                return
            check.judge(strictly=False)
            check.end()
            _run(path, load(path, files=check.files), check, signals, start)
        finally:
            check.end()


def _run(path: Path, config: Config, check: Check, signals: Signals, start: Start) -> None:
    lock = RoleLock(config.database, "supervisor")
    try:
        open_store(config, SystemClock()).close()  # migrates, before anybody else looks
        doors = open_doors(config)
        try:
            Supervisor(path, config, check.files, doors, signals, start).run()
        finally:
            for door in doors.values():
                door.close()
    finally:
        lock.release()
