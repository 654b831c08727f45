"""What the start begins while the files are checked: the lifeline, and the loading of what roles need."""

from __future__ import annotations

import os

from relay.supervisor.forks import Forks


class Start:
    """Nobody reads the configuration before an order, so a check that fails finds nothing done."""

    def __init__(self) -> None:
        self.lifeline, self._held = os.pipe()
        self.forks = Forks(self.lifeline)

    def end(self) -> None:
        """Let go of all that was begun; children end, if they have not, with their lifeline."""
        self.forks.end()
        for child in self.forks.children():
            child.bury()
        for end in (self._held, self.lifeline):
            os.close(end)
