"""What the platform's documents leave open, as switches that a test can turn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SharedId(StrEnum):
    """How the copies of one message at several of our accounts are tied together (platform API §3)."""

    SHARED = "shared"
    """Every copy carries the same `wx_svrid`."""
    SEPARATE = "separate"
    """Every copy carries a `wx_svrid` of its own."""
    ABSENT = "absent"
    """No copy carries a `wx_svrid`, so nothing can be revoked either."""


@dataclass(frozen=True, slots=True)
class Habits:
    """The simulator's readings of the open questions; the defaults are the likeliest ones."""

    wx_svrid: SharedId = SharedId.SHARED
    api_ids_in_extra: bool = False  # `api_send_*` of an echo under `extra` instead of the entry's root
    token_in_data: bool = True  # the token's answer under `data` instead of the root
    new_token_ends_old: bool = True
    concurrent_pushes: bool = False  # pushes of one account may overtake each other
