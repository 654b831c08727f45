"""Writing a session down while it happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from relay.clock import Clock
from relay.simulator import recording, verbatim, world
from relay.simulator.faults import Faults, Standing
from relay.simulator.ledger import Ledger


class Recorder:
    """Records from `start` to `stop`, or until the recording is as long as one may be."""

    def __init__(self, people: world.World, faults: Faults, ledger: Ledger, clock: Clock) -> None:
        self._people = people
        self._faults = faults
        self._ledger = ledger
        self._clock = clock
        self._lines: list[str] = []
        self._size = 0
        self._begun = 0
        self._pushes = 0
        self._file: TextIO | None = None
        self._forget: list[Callable[[], None]] = []

    @property
    def is_running(self) -> bool:
        """Whether it records at this moment."""
        return bool(self._forget)

    @property
    def lines(self) -> int:
        """How long the recording is, the running one or the last."""
        return len(self._lines)

    def start(self, file: Path | None = None) -> None:
        """Begin anew, with everything that is there; every line is in the file at once, if there is one."""
        self.stop()
        self._file = None if file is None else file.open("w", encoding="utf-8", buffering=1)
        self._lines, self._size = [], 0
        self._begun, self._pushes = self._clock.now(), self._ledger.pushes.total
        self._forget = [
            self._people.watch(self._changed),
            self._faults.watch(self._fault),
            self._ledger.watch(self._pushed),
        ]
        self._note(recording.Session(0, recording.VERSION))
        for entry in self._people.everything():
            self._changed(entry)
        for standing in self._faults.standing():
            self._fault("add", standing)

    def stop(self) -> None:
        """End the recording; it can still be had."""
        if self.is_running:
            self._pushed()
        self._end()

    def content(self) -> bytes:
        """Give the recording as a file."""
        return "".join(self._lines).encode()

    def posted(self, chat: str, sender: str, msg_type: str, content: bytes) -> None:
        """Somebody said something."""
        self._note(recording.Post(self._now(), chat, sender, msg_type, verbatim.text_of(content)))

    def told_to_fail(self, account: str, reason: str) -> None:
        """The account's next message is to fail."""
        self._note(recording.FailNext(self._now(), account, reason))

    def told_to_reject(self, target: str, reason: str | None) -> None:
        """What is sent to this target is to fail, or no more."""
        self._note(recording.Reject(self._now(), target, reason))

    def _changed(self, entry: world.Entry) -> None:
        now = self._now()
        if isinstance(entry, world.Account):
            self._note(recording.Account(now, entry.wxid, entry.nickname, entry.full_name, entry.online))
        elif isinstance(entry, world.Contact):
            friends = None if entry.friends is None else sorted(entry.friends)
            self._note(recording.Contact(now, entry.wxid, entry.nickname, friends))
        else:
            self._note(recording.Room(now, entry.wxid, entry.name, list(entry.members)))

    def _fault(self, what: str, standing: Standing | None) -> None:
        if standing is None:
            self._note(recording.FaultsCleared(self._now()))
        elif what == "add":
            self._note(recording.FaultAdded(self._now(), standing.number, standing.fault.as_json()))
        else:
            self._note(recording.FaultRemoved(self._now(), standing.number))

    def _pushed(self) -> None:
        for push in self._ledger.pushes.since(self._pushes):
            body = verbatim.text_of(push.plaintext)
            self._note(recording.Callback(self._now(), push.account, body))
        self._pushes = self._ledger.pushes.total

    def _now(self) -> int:
        return max(0, self._clock.now() - self._begun)

    def _note(self, step: recording.Step) -> None:
        if not self.is_running:
            return
        line = recording.write(step)
        self._size += len(line)
        if len(self._lines) >= recording.MOST_LINES or self._size > recording.MOST_BYTES:
            self._end()
            return
        self._lines.append(line)
        if self._file is not None:
            self._file.write(line)

    def _end(self) -> None:
        for forget in self._forget:
            forget()
        self._forget = []
        if self._file is not None:
            self._file.close()
            self._file = None
