"""A notification of the platform's that is no message, as plugins see it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that the platform told one of our accounts, other than a message.

    `type` is the platform's own word for it; `time` when it was told, in the bot's time zone; `raw` the
    platform's entry, byte for byte.
    """

    id: str
    type: str
    account: str
    time: dt.datetime
    raw: bytes

    @cached_property
    def content(self) -> Mapping[str, Any]:
        """The entry's fields; none of one that is no JSON object."""
        try:
            read = json.loads(self.raw)
        except (ValueError, RecursionError):
            read = None
        return MappingProxyType(read if isinstance(read, dict) else {})
