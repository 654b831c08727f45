"""The file of a recorded session: one JSON object a line, what people did and for reference what was pushed.

Every line has `what`, and `at`, the milliseconds since the recording began. The first line is
`{"what": "session", "at": 0, "version": 1}`. Then come `account`, `contact` and `room` (the world as it was,
and each change of it), `post`, `fail_next`, `reject`, `fault`, `fault_removed`, `faults_cleared`; and
`callback`, which is left out when it is replayed. The `content` of a post and the `body` of a callback are
JSON as text, so that not one byte of them changes. The callback URL and the secrets are never in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from relay.simulator import verbatim
from relay.simulator.fault import Fault
from relay.simulator.faults import MOST_FAULTS
from relay.simulator.world import World

VERSION = 1
MOST_BYTES = 8 * 1024 * 1024
MOST_LINES = 50_000
MOST_MILLISECONDS = 30 * 86_400_000
MOST_CHARACTERS = 200  # of an id, a name, a reason


class RecordingError(ValueError):
    """The file is no recording, or one that cannot be replayed here."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="what"):
    """Something that happened `at` so many milliseconds from the beginning."""

    at: int


class Session(Line, frozen=True, tag="session"):
    """The first line."""

    version: int


class Account(Line, frozen=True, tag="account"):
    """An account of ours is there."""

    wxid: str
    nickname: str
    full_name: str = ""
    online: bool = True


class Contact(Line, frozen=True, tag="contact"):
    """Somebody else is there."""

    wxid: str
    nickname: str
    friends: list[str] | None = None


class Room(Line, frozen=True, tag="room"):
    """A room is there, with these members."""

    wxid: str
    name: str
    members: list[str]


class Post(Line, frozen=True, tag="post"):
    """Somebody said something."""

    chat: str
    sender: str
    msg_type: str
    content: str


class FailNext(Line, frozen=True, tag="fail_next"):
    """The account's next message is to fail."""

    account: str
    reason: str


class Reject(Line, frozen=True, tag="reject"):
    """What is sent to this target fails from now on, or no more."""

    target: str
    reason: str | None = None


class FaultAdded(Line, frozen=True, tag="fault"):
    """A fault stands."""

    number: int
    fault: dict[str, Any]


class FaultRemoved(Line, frozen=True, tag="fault_removed"):
    """A fault was removed by hand."""

    number: int


class FaultsCleared(Line, frozen=True, tag="faults_cleared"):
    """All faults were removed."""


class Callback(Line, frozen=True, tag="callback"):
    """What was pushed, for reference."""

    account: str
    body: str


Step: TypeAlias = (
    Session
    | Account
    | Contact
    | Room
    | Post
    | FailNext
    | Reject
    | FaultAdded
    | FaultRemoved
    | FaultsCleared
    | Callback
)


def write(step: Step) -> str:
    """Give a line, with its end."""
    return json.dumps(msgspec.to_builtins(step), separators=(",", ":")) + "\n"


def read(data: bytes) -> list[Step]:
    """Read a whole file; RecordingError with the line where it is wrong."""
    if len(data) > MOST_BYTES:
        raise RecordingError(f"a recording has at most {MOST_BYTES // 1024 // 1024} MB")
    lines = data.splitlines()
    if len(lines) > MOST_LINES:
        raise RecordingError(f"a recording has at most {MOST_LINES} lines")
    steps = [_step(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    _check_frame(steps)
    return steps


def rehearse(steps: Sequence[Step], world: World, faults_standing: int = 0) -> None:
    """Go through a recording without doing any of it; RecordingError at the first step that is impossible."""
    rehearsal = _Rehearsal(world.copy(), faults_standing)
    for number, step in enumerate(steps, 1):
        try:
            rehearsal.take(step)
        except ValueError as exc:
            raise RecordingError(f"step {number}: {exc}") from exc


class _Rehearsal:
    def __init__(self, world: World, standing: int) -> None:
        self._world = world
        self._standing = standing
        self._faults: set[int] = set()

    def take(self, step: Step) -> None:
        perform_on_world(step, self._world)
        if isinstance(step, Post):
            verbatim.check(step.content)
            if not self._world.reaches(step.sender, step.chat):
                raise RecordingError(f"{step.sender} is not in {step.chat}, or there is no such chat")
        elif isinstance(step, FaultAdded):
            Fault.of(step.fault)
            self._faults.add(step.number)
            if self._standing + len(self._faults) > MOST_FAULTS:
                raise RecordingError(f"it has more than {MOST_FAULTS} faults")
        elif isinstance(step, FaultRemoved) and step.number not in self._faults:
            raise RecordingError(f"there is no fault {step.number}")


def perform_on_world(step: Step, world: World) -> None:
    """Do what is about people and rooms; WorldError where it cannot be done."""
    if isinstance(step, Account):
        world.add_account(step.wxid, step.nickname, full_name=step.full_name, online=step.online)
    elif isinstance(step, Contact):
        world.add_contact(step.wxid, step.nickname, friends=step.friends)
    elif isinstance(step, Room):
        world.add_room(step.wxid, step.name, step.members)


def _step(number: int, line: bytes) -> Step:
    try:
        step: Step = msgspec.convert(json.loads(line), Step)
        _check_line(step)
    except (ValueError, RecursionError) as exc:
        raise RecordingError(f"line {number}: {exc}") from exc
    return step


def _check_line(step: Step) -> None:
    if not 0 <= step.at <= MOST_MILLISECONDS:
        raise RecordingError(f"at goes from 0 to {MOST_MILLISECONDS}")
    for name in ("wxid", "nickname", "name", "chat", "sender", "msg_type", "account", "target", "reason"):
        value = getattr(step, name, None)
        if isinstance(value, str) and not 1 <= len(value.strip()) <= MOST_CHARACTERS:
            raise RecordingError(f"{name} has 1 to {MOST_CHARACTERS} characters")


def _check_frame(steps: Sequence[Step]) -> None:
    if not steps or not isinstance(steps[0], Session):
        raise RecordingError("line 1: this is no recording of the simulator")
    if steps[0].version != VERSION:
        raise RecordingError(f"line 1: version {steps[0].version} is not known, only {VERSION}")
    if not _rises(step.at for step in steps):
        raise RecordingError("its times do not rise")


def _rises(times: Iterable[int]) -> bool:
    last = 0
    for time in times:
        if time < last:
            return False
        last = time
    return True
