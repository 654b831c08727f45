"""Doing again what a recording says, at its own pace or another."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from relay.clock import Clock
from relay.simulator import recording, verbatim
from relay.simulator.fault import Fault
from relay.simulator.faults import FaultError, Faults
from relay.simulator.ledger import Message
from relay.simulator.world import World

MOST_SPEED = 1000.0


class Hands(Protocol):
    """What a person can do to a simulator."""

    world: World
    faults: Faults

    def post(self, chat: str, sender: str, msg_type: str, content: bytes) -> Message:
        """Let somebody post a message."""

    def fail_next(self, account: str, reason: str) -> None:
        """Let the account's next message fail."""

    def reject(self, target: str, reason: str | None) -> None:
        """Let messages to this target fail, or no more."""


class Player:
    """Plays one recording at a time; `done` of `total` steps, and the sentence of what ended it early."""

    def __init__(self, hands: Hands, clock: Clock, changed: Callable[[], None]) -> None:
        self._hands = hands
        self._clock = clock
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._numbers: dict[int, int] = {}
        self.done = 0
        self.total = 0
        self.error = ""

    @property
    def is_running(self) -> bool:
        """Whether it plays at this moment."""
        return self._task is not None and not self._task.done()

    def start(self, data: bytes, speed: float = 1.0) -> asyncio.Task[None]:
        """Begin to play in the background; RecordingError, and nothing done, where that cannot go well."""
        if self.is_running:
            raise recording.RecordingError("another recording is being played")
        if not math.isfinite(speed) or not 0 < speed <= MOST_SPEED:
            raise recording.RecordingError(f"the speed is above 0 and up to {MOST_SPEED:.0f}")
        steps = recording.read(data)
        recording.rehearse(steps, self._hands.world, len(self._hands.faults.standing()))
        steps = [step for step in steps if not isinstance(step, recording.Callback)]
        self.done, self.total, self.error = 0, len(steps), ""
        self._task = asyncio.get_running_loop().create_task(self._play(steps, speed))
        self._task.add_done_callback(self._ended)
        return self._task

    def stop(self) -> None:
        """End the playing; what was done stays."""
        if self._task is not None:
            self._task.cancel()

    async def _play(self, steps: Sequence[recording.Step], speed: float) -> None:
        begun = self._clock.now()
        self._numbers.clear()
        for step in steps:
            while (left := begun + step.at / speed - self._clock.now()) > 0:
                await self._clock.sleep(math.ceil(left) / 1000)
            self._perform(step)
            self.done += 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Note why a recording ended early: somebody changed the world meanwhile."""
        failed = None if task.cancelled() else task.exception()
        self.error = str(failed) if failed else ""
        self._changed()

    def _perform(self, step: recording.Step) -> None:
        recording.perform_on_world(step, self._hands.world)
        if isinstance(step, recording.Post):
            content = verbatim.bytes_of(step.content)
            self._hands.post(step.chat, step.sender, step.msg_type, content)
        elif isinstance(step, recording.FailNext):
            self._hands.fail_next(step.account, step.reason)
        elif isinstance(step, recording.Reject):
            self._hands.reject(step.target, step.reason)
        else:
            self._perform_on_faults(step)
        self._changed()

    def _perform_on_faults(self, step: recording.Step) -> None:
        faults = self._hands.faults
        if isinstance(step, recording.FaultAdded):
            self._numbers[step.number] = faults.add(Fault.of(step.fault)).number
        elif isinstance(step, recording.FaultRemoved):
            with contextlib.suppress(FaultError):  # it is used up already
                faults.remove(self._numbers[step.number])
        elif isinstance(step, recording.FaultsCleared):
            faults.clear()
