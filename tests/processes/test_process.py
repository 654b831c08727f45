"""What a role does beside its work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import structlog
from bots import rule

from relay.errors import StorageError
from relay.process import BEAT, _alive, _Orders
from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Store
from relay.ties import Ties


class Refusing:
    """A store on a disk that is full for a while."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.beats = 0

    async def beat(self, role: str, pid: int, note: Mapping[str, object]) -> None:
        if self.left:
            self.left -= 1
            raise StorageError("the disk is full")
        self.beats += 1

    async def leave(self, role: str, pid: int) -> None:
        """There is nobody to tell."""


@rule
async def test_a_heart_goes_on_beating_when_the_disk_is_back() -> None:
    store, clock = Refusing(3), ManualClock()
    orders = _Orders(Path("bot.toml"), "router", Ties())
    with structlog.testing.capture_logs() as logged:
        async with _alive(cast(Store, store), "router", clock, orders):
            await clock.advance(5 * BEAT)
    assert store.beats == 3
    assert [line["event"] for line in logged] == ["heartbeat_not_written"]
