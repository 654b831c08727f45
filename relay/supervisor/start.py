"""What the start begins while the files are checked: roles that load their modules, and the lifeline."""

from __future__ import annotations

import os

from relay.bounds import NICENESS
from relay.supervisor.child import Child

ROLES = {"receiver": 0, "router": NICENESS}
"""Who loads at once, with the niceness in which it does so: the door is to be open first."""


class Start:
    """They read no configuration before their order, so a check that fails finds nothing done."""

    def __init__(self) -> None:
        self.lifeline, self._held = os.pipe()
        self.children = {role: Child(self.lifeline, role, nice) for role, nice in ROLES.items()}

    def end(self) -> None:
        """Let go of all that was begun; children end, if they have not, with their lifeline."""
        for child in self.children.values():
            child.bury()
        for end in (self._held, self.lifeline):
            os.close(end)
