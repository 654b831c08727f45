"""How a simulator is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from relay.simulator.habits import Habits

Language = Literal["zh", "en"]
SERVED_KEEPS = 10_000
"""What `relay sim` and the demo keep of each sort: messages, copies, requests, pushes, strikes."""


def language_of(*wanted: str | None) -> Language:
    """Give the first of these that is a language of the page, else Chinese."""
    return cast(Language, next((language for language in wanted if language in ("zh", "en")), "zh"))


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """What a simulator needs to know; the secrets are examples, and stay out of its `repr`."""

    app_id: str = "sim-app"
    app_secret: str = field(default="sim-secret", repr=False)
    key: bytes = field(default=b"0123456789abcdefghijklmnopqrstuv", repr=False)
    callback_url: str | None = field(default=None, repr=False)  # its path is a secret
    language: Language = "zh"
    host: str = "127.0.0.1"
    port: int = 8090
    allowed_hosts: tuple[str, ...] = ()  # names for the page, beside localhost and addresses
    habits: Habits = field(default_factory=Habits)
    keep: int | None = None  # how much of each sort the ledger keeps, and chatLogs can give; None: all of it

    def __post_init__(self) -> None:
        if len(self.key) != 32:
            raise ValueError(f"the key must have 32 bytes, not {len(self.key)}")
        if self.keep is not None and self.keep < 1:
            raise ValueError("keep must be at least 1")
