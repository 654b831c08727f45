"""What became of a delivery, as plugins see it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target, in a state that it has just come to.

    `message` is the id of the message that it came of, "" where it came of none; `evidence` what the state
    rests on and `reason` why it is so, "" where nobody said; `time` when it came to that state, in the bot's
    time zone.
    """

    id: str
    state: str
    evidence: str
    reason: str
    kind: str
    account: str
    target: str
    plugin: str
    rule: str
    message: str
    attempts: int
    time: dt.datetime
