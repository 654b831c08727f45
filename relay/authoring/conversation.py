"""A question that waits for its answer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a plugin asked somebody in a chat; `message` is the id of the message that it asked because of.

    It waits `since` the question was decided, `until` its time is over; both in the bot's time zone.
    """

    account: str
    chat: str
    sender: str
    message: str
    since: dt.datetime
    until: dt.datetime
