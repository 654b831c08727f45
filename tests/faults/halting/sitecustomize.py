"""Lets a process stand still at a named place: RELAY_HALT names a file that says which, and at which passage.

Whoever gets there takes the file away, and without it no round of retention begins; none keeps a reserve.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from relay.sending import retention
from relay.store import past
from relay.store.sqlite import retention as statements

IN_A_REMOVAL, IN_A_VACUUM, BETWEEN, NOWHERE = "in a removal", "in a vacuum", "between", "nowhere"
AT_ONCE = 0.2  # seconds

_passed: Counter[str] = Counter()


def ask(file: Path, place: str, passage: int = 1) -> None:
    """Let rounds begin, and whoever gets to this place for the so-manieth time stand still."""
    part = file.with_suffix(".part")
    part.write_text(f"{passage} {place}")
    part.rename(file)


def here(file: Path, place: str) -> None:
    """Stand still, if somebody asked for it."""
    try:
        passage, _, asked = file.read_text().partition(" ")
    except FileNotFoundError:
        _passed.clear()
        return
    _passed[place] += 1
    if asked == place and _passed[place] >= int(passage):
        file.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)


def halt(file: Path) -> None:
    """Put these places into the code; what is done in a transaction is not committed there."""
    remove, shrink, took = statements.remove, statements.shrink, retention._Stride.took
    go_round = retention.Retention.round

    async def going_round(self: retention.Retention) -> Counter[past.Kept]:
        return await go_round(self) if os.access(file, os.F_OK) else Counter()

    def removing(*asked: Any) -> past.Removal:
        removal = remove(*asked)
        here(file, IN_A_REMOVAL)
        return removal

    def shrinking(*asked: Any) -> float:
        seconds = shrink(*asked)
        here(file, IN_A_VACUUM)
        return seconds

    def taking(self: retention._Stride, seconds: float) -> None:
        here(file, BETWEEN)
        took(self, seconds)

    statements.remove, statements.shrink = removing, shrinking  # type: ignore[assignment]
    retention._Stride.took = taking  # type: ignore[method-assign]
    retention.Retention.round = going_round  # type: ignore[method-assign]
    retention.FIRST = retention.EVERY = AT_ONCE
    statements.RESERVE = 0


if "RELAY_HALT" in os.environ:
    halt(Path(os.environ["RELAY_HALT"]))
    if os.environ.get("RELAY_UNGUARDED") == "remember":
        retention.LASTING = frozenset()  # type: ignore[attr-defined]
