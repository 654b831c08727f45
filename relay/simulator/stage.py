"""What the page needs of a simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from relay.simulator.faults import Faults
from relay.simulator.ledger import Ledger, Message
from relay.simulator.player import Player
from relay.simulator.pusher import Pusher
from relay.simulator.recorder import Recorder
from relay.simulator.settings import SimulatorSettings
from relay.simulator.tokens import Tokens
from relay.simulator.world import World


class Stage(Protocol):
    """The part of `Simulator` that a person can see and touch."""

    settings: SimulatorSettings
    world: World
    ledger: Ledger
    pusher: Pusher
    faults: Faults
    tokens: Tokens
    recorder: Recorder
    player: Player

    @property
    def callback_url(self) -> str | None:
        """Where pushes go."""

    @callback_url.setter
    def callback_url(self, url: str | None) -> None: ...

    def post(
        self, chat: str, sender: str, msg_type: str, content: bytes | Mapping[str, object] | str
    ) -> Message:
        """Let somebody post a message."""
