"""A message as it was kept becomes one as plugins see it."""

from __future__ import annotations

import datetime as dt

from relay.authoring.message import Message
from relay.store.values import StoredMessage


def message_of(stored: StoredMessage, zone: dt.tzinfo) -> Message:
    """The same message, with its time in `zone`."""
    return Message(
        id=f"m{stored.id}",
        svrid=stored.svrid,
        account=stored.account,
        chat=stored.chat,
        chat_type=stored.chat_type,
        sender=stored.sender,
        type=stored.type,
        time=_said_at(stored, zone),
        raw=stored.raw,
        own=bool(stored.own),
        late=bool(stored.late),
    )


def _said_at(stored: StoredMessage, zone: dt.tzinfo) -> dt.datetime:
    """The message's own time, or that of its receipt where its own is beyond the calendar."""
    try:
        return dt.datetime.fromtimestamp(stored.time / 1000, zone)
    except (OverflowError, ValueError, OSError):
        return dt.datetime.fromtimestamp(stored.received_at / 1000, zone)
