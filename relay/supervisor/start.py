"""What the start begins while the files are checked: a receiver that loads its modules, and the lifeline."""

from __future__ import annotations

import os

from relay.supervisor.child import Child


class Start:
    """The receiver reads no configuration before its order, so a check that fails finds nothing done."""

    def __init__(self) -> None:
        self.lifeline, self._held = os.pipe()
        self.receiver = Child(self.lifeline, "receiver")

    def end(self) -> None:
        """Let go of all that was begun; children end, if they have not, with their lifeline."""
        self.receiver.bury()
        for end in (self._held, self.lifeline):
            os.close(end)
