"""Everything the platform has seen: what the tests take for the truth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from relay.simulator.shelf import ForgottenError, Shelf


@dataclass(frozen=True, slots=True)
class Cause:
    """The API call behind a message; `source` is the number of the message that was forwarded."""

    request: int
    kind: Literal["send", "forward"]
    account: str
    target: str
    api_send_svrid: str
    api_send_id: int | str | None = None
    source: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said; `content` is exact, `failed` the reason why only its sender sees it."""

    number: int
    place: str
    sender: str
    to: str
    msg_type: str
    content: bytes
    time: int
    cause: Cause | None = None
    failed: str | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """One message as one of our accounts sees it; `entry` is what was pushed, byte for byte."""

    message: int
    account: str
    chat: str
    svrid: str
    wx_svrid: str
    wx_msgid: str
    msg_type: str
    content: bytes
    msg_time: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the platform's API: `effective` is the truth, `errcode` what the caller was told.

    None means that it was told nothing it could read.
    """

    number: int
    path: str
    time: int
    errcode: int | None = None
    message: str = ""
    effective: bool = False


class PushState(StrEnum):
    """How a push ended; none is ever tried again."""

    WAITING = "waiting"
    """Its turn has not come, or the answer is still awaited."""
    ANSWERED = "answered"
    """Something answered within the second, whatever the status."""
    TIMED_OUT = "timed_out"
    """No answer within the second."""
    REFUSED = "refused"
    """Nobody listens at the callback URL."""
    STOPPED = "stopped"
    """Not sent: too many time-outs today."""
    NOWHERE = "nowhere"
    """Not sent: there is no callback URL."""
    DROPPED = "dropped"
    """Not sent: a fault on demand."""


@dataclass(frozen=True, slots=True)
class PushRecord:
    """One callback: its plaintext, and what came of it; `ms` is the wait for the answer."""

    number: int
    account: str
    plaintext: bytes
    time: int
    state: PushState = PushState.WAITING
    status: int | None = None
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Strike:
    """One use of a fault on demand, and what it struck."""

    number: int
    fault: int
    kind: str
    time: int
    account: str
    targets: tuple[str, ...]
    request: int | None
    push: int | None


ReceivedKey = tuple[str, str, int, bytes]


class Ledger:
    """The record, in order, found by number; with `keep`, only so many of each sort, the newest."""

    def __init__(self, keep: int | None = None) -> None:
        self.messages: Shelf[Message] = Shelf(keep)
        self.copies: Shelf[Copy] = Shelf(keep)
        self.requests: Shelf[Request] = Shelf(keep)
        self.pushes: Shelf[PushRecord] = Shelf(keep)
        self.strikes: Shelf[Strike] = Shelf(keep)
        self.changes: Shelf[int] = Shelf(
            keep
        )  # numbers of messages, once for each time they are new or altered
        self.refusals = 0  # requests answered with another errcode than 0
        self.last_refusal: Request | None = None
        self.last_push: PushRecord | None = None  # the last one that came to an end
        self._received: dict[ReceivedKey, Copy] = {}
        self._watchers: list[Callable[[], None]] = []

    # -- questions

    def in_chat(self, chat: str, other: str = "") -> list[Message]:
        """Give what really appeared in a room, or between two people, in order."""
        place = "|".join(sorted((chat, other))) if other else chat
        return [message for message in self.messages if message.place == place and message.failed is None]

    def effects(
        self, *, account: str | None = None, target: str | None = None, kind: str | None = None
    ) -> list[Message]:
        """Give the messages that really appeared in a chat because of an API call, in order."""
        return [m for m in self._by_api(account, target, kind) if m.failed is None]

    def failures(self, *, account: str | None = None, target: str | None = None) -> list[Message]:
        """Give what was accepted by the API and yet appeared nowhere."""
        return [m for m in self._by_api(account, target, None) if m.failed is not None]

    def copies_of(self, message: Message) -> list[Copy]:
        """Give the copies of a message, one for each of our accounts that saw it."""
        return [copy for copy in self.copies if copy.message == message.number]

    def received(self, account: str, msg_type: str, msg_time: int, content: bytes) -> Copy | None:
        """Find what this account was pushed with exactly these bytes, or nothing."""
        return self._received.get((account, msg_type, msg_time, content))

    def has_voice(self, account: str, url: bytes) -> bool:
        """Say whether this account received a voice with this URL, given as JSON text."""
        return any(c.msg_type == "voice" and c.account == account and url in c.content for c in self.copies)

    def pushes_in(self, state: PushState) -> list[PushRecord]:
        """Give the pushes that ended in this way."""
        return [push for push in self.pushes if push.state is state]

    # -- entries

    def add_message(self, message: Message) -> Message:
        """Record what was said; its number is given here."""
        numbered = replace(message, number=self.messages.total)
        self.messages.put(numbered)
        self._changed(numbered.number)
        return numbered

    def add_copy(self, copy: Copy) -> None:
        """Record what one account was shown; of equal ones the first stands for all."""
        forgotten = self.copies.put(copy)
        self._received.setdefault(_received_key(copy), copy)
        for old in forgotten:
            if self._received.get(_received_key(old)) is old:
                del self._received[_received_key(old)]

    def revoke(self, number: int) -> None:
        """Mark a message as taken back."""
        self.messages.replace(number, replace(self.messages.numbered(number), revoked=True))
        self._changed(number)

    def add_request(self, path: str, time: int) -> Request:
        """Record a call before it is judged."""
        request = Request(self.requests.total, path, time)
        self.requests.put(request)
        return request

    def take_effect(self, number: int) -> None:
        """Record that a call did what it asked for."""
        with contextlib.suppress(ForgottenError):
            self.requests.replace(number, replace(self.requests.numbered(number), effective=True))

    def answer_request(self, number: int, errcode: int | None, message: str) -> None:
        """Record what the caller was told; it may have waited until the call itself is forgotten."""
        with contextlib.suppress(ForgottenError):
            self._answer(replace(self.requests.numbered(number), errcode=errcode, message=message))

    def _answer(self, request: Request) -> None:
        self.requests.replace(request.number, request)
        if request.errcode:
            self.refusals += 1
            self.last_refusal = request
        self.touch()

    def add_push(self, account: str, plaintext: bytes, time: int) -> PushRecord:
        """Record a push whose turn has not come yet."""
        push = PushRecord(self.pushes.total, account, plaintext, time)
        self.pushes.put(push)
        return push

    def end_push(self, push: PushRecord, state: PushState, status: int | None = None, ms: int = 0) -> None:
        """Record what came of a push."""
        self.last_push = replace(push, state=state, status=status, ms=ms)
        with contextlib.suppress(ForgottenError):
            self.pushes.replace(push.number, self.last_push)
        self.touch()

    def has_ended(self, push: int) -> bool:
        """Say whether a push is over, however it ended."""
        try:
            return self.pushes.numbered(push).state is not PushState.WAITING
        except ForgottenError:
            return True

    def add_strike(
        self,
        fault: int,
        kind: str,
        time: int,
        account: str,
        targets: tuple[str, ...],
        request: int | None,
        push: int | None,
    ) -> None:
        """Record that a fault was used."""
        self.strikes.put(Strike(self.strikes.total, fault, kind, time, account, targets, request, push))
        self.touch()

    def touch(self) -> None:
        """Let everybody who watches look again."""
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` after every change, until the function that comes back is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _by_api(self, account: str | None, target: str | None, kind: str | None) -> list[Message]:
        return [
            message
            for message in self.messages
            if (cause := message.cause) is not None
            and account in (None, cause.account)
            and target in (None, cause.target)
            and kind in (None, cause.kind)
        ]

    def _changed(self, number: int) -> None:
        self.changes.put(number)
        self.touch()


def _received_key(copy: Copy) -> ReceivedKey:
    return (copy.account, copy.msg_type, copy.msg_time, copy.content)
