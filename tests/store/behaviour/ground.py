"""What a backend stands on while it is driven."""

from __future__ import annotations

from typing import Protocol

from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Store


class Ground(Protocol):
    """Where a backend keeps what it was given."""

    def open(self, clock: ManualClock) -> Store:
        """A store on what has been kept so far."""

    def crash(self) -> None:
        """End the process that has it open, whatever it was about to do."""

    def forget(self, wxid: str, now: int) -> None:
        """Let an operator have a person forgotten, beside the process that has it open."""

    def clear(self) -> None:
        """Leave nothing behind."""
