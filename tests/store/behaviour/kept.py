"""What the model keeps of messages, attempts and deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.store.states import STEPS, AttemptOutcome, DeliveryKind, DeliveryState, Evidence, MessageState
from relay.wire.entries import Entry

_S = DeliveryState


@dataclass
class Heard:
    """One received message."""

    id: int
    entry: Entry
    received_at: int
    late: bool
    state: MessageState = MessageState.WAITING
    looked_at: bool = False
    attempts: int = 0


@dataclass
class Attempt:
    """One request; `cleared` once it is certain that another cannot double it, or a person wants it so."""

    started_at: int
    ended: bool = False
    outcome: AttemptOutcome | None = None
    svrid: str | None = None
    echo: int | None = None
    failure: int | None = None
    cleared: bool = False


@dataclass
class Sent:
    """One delivery."""

    id: int
    message: int | None
    kind: DeliveryKind
    account: str
    target: str
    body: bytes | None
    position: int
    due_at: int
    expires_at: int
    created_at: int
    updated_at: int
    after: int | None
    entry: int | None
    state: DeliveryState = _S.QUEUED
    evidence: Evidence | None = None
    spent: int = 0
    solo: bool = False
    spoken: bool = False
    doubtful: bool = False
    retry_at: int = 0
    settle_at: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    plugin: str = "plugin"
    depth: int = 0  #: changes of deliveries that led to it
    steps: list[tuple[DeliveryState, int]] = field(default_factory=list)  #: each with its place in line then

    def __post_init__(self) -> None:
        self.steps.append((self.state, self.position))

    @property
    def pair(self) -> tuple[str, str]:
        """Whose requests go out one after the other."""
        return self.account, self.target

    def move(self, to: DeliveryState, now: int) -> None:
        """Take a step that the state machine has."""
        assert (self.state, to) in STEPS, f"{self.state} to {to} is no step"
        self.state = to
        self.steps.append((to, self.position))
        self.updated_at = now
        if to not in (_S.ACCEPTED, _S.UNKNOWN):
            self.settle_at = None
