"""What happens when somebody says something: who sees it, what is pushed, what stays in the record."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial

from relay.clock import Clock
from relay.simulator.agenda import Agenda
from relay.simulator.entries import chat_entry, fail_entry, notification, to_json
from relay.simulator.fault import Happening, Kind, Point
from relay.simulator.faults import Faults
from relay.simulator.habits import Habits, SharedId
from relay.simulator.judge import Outgoing
from relay.simulator.ledger import Cause, Copy, Ledger, Message
from relay.simulator.pusher import Pusher
from relay.simulator.world import World, WorldError, place_of

NOT_THERE = "the account is not in this chat"
FORWARD_GAP = 1000  # milliseconds between the messages of one forwardMsg


class Platform:
    """The cloud phones themselves: they show messages to accounts and push what the accounts see."""

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        pusher: Pusher,
        faults: Faults,
        agenda: Agenda,
        clock: Clock,
        habits: Habits,
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._pusher = pusher
        self._faults = faults
        self._agenda = agenda
        self._clock = clock
        self._habits = habits
        self._rejected: dict[str, str] = {}
        self._failing: dict[str, deque[str]] = {}
        self._sent = 0

    def post(self, chat: str, sender: str, msg_type: str, content: bytes) -> Message:
        """Let a person say something to a room or to another person; WorldError where they cannot."""
        if not self._world.reaches(sender, chat):
            raise WorldError(f"{sender} is not in {chat}, or there is no such chat")
        return self._say(sender, chat, msg_type, content)

    def send(self, request: int, account: str, target: str, outgoing: Outgoing) -> Cause:
        """Execute one message of a sendMessage call at its time; the ids of its echo are known at once."""
        cause = Cause(request, "send", account, target, self._api_send_svrid(account, target))
        cause = replace(cause, api_send_id=outgoing.api_send_id)
        self._agenda.at(outgoing.due, lambda: self._execute(cause, outgoing.msg_type, outgoing.content))
        return cause

    def forward(self, request: int, account: str, targets: list[str], copies: list[Copy]) -> None:
        """Execute a forwardMsg call: the messages a second apart, each to all targets."""
        for index, copy in enumerate(copies):
            due = self._clock.now() + index * FORWARD_GAP
            self._agenda.at(due, partial(self._forward_one, request, account, targets, copy))

    def revoke(self, copy: Copy) -> None:
        """Take a message back, and let everybody who saw it know (how is an assumption)."""
        message = self._ledger.messages.numbered(copy.message)
        self._ledger.revoke(message.number)
        content = to_json({"wx_svrid": copy.wx_svrid, "wx_msgid": copy.wx_msgid})
        self._say(message.sender, message.to, "revoke", content)

    def fail_next(self, account: str, reason: str) -> None:
        """Let the next message that this account sends by the API fail after its echo."""
        self._failing.setdefault(account, deque()).append(reason)

    def reject(self, target: str, reason: str | None) -> None:
        """Let everything sent to this target fail after its echo; None ends that."""
        if reason is None:
            self._rejected.pop(target, None)
        else:
            self._rejected[target] = reason

    def _forward_one(self, request: int, account: str, targets: list[str], copy: Copy) -> None:
        for target in targets:
            svrid = self._api_send_svrid(account, target)
            cause = Cause(request, "forward", account, target, svrid, source=copy.message)
            self._execute(cause, copy.msg_type, copy.content)

    def _execute(self, cause: Cause, msg_type: str, content: bytes) -> None:
        struck = self._faults.strike(Point.MESSAGE, _happening(cause))
        if not struck:
            failed = self._failure(cause)
            self._say(cause.account, cause.target, msg_type, content, cause, failed)
            if failed is not None:
                self._tell_failure(cause, failed)
            return
        fault = struck[0].fault
        if fault.kind is Kind.FAIL_EARLY:
            self._tell_failure(cause, fault.message)
        self._say(cause.account, cause.target, msg_type, content, cause, fault.message)
        if fault.kind is not Kind.FAIL_EARLY:
            due = self._clock.now() + round(fault.seconds * 1000)
            self._agenda.at(due, partial(self._tell_failure, cause, fault.message))

    def _tell_failure(self, cause: Cause, reason: str) -> None:
        entry = fail_entry(_api_ids(cause), reason)
        event = notification("chatMsgSendFail", cause.account, entry)
        self._pusher.add(cause.account, event, (cause.target,))

    def _failure(self, cause: Cause) -> str | None:
        if failing := self._failing.get(cause.account):
            return failing.popleft()
        if cause.target in self._rejected:
            return self._rejected[cause.target]
        return None if self._world.reaches(cause.account, cause.target) else NOT_THERE

    def _say(
        self,
        sender: str,
        to: str,
        msg_type: str,
        content: bytes,
        cause: Cause | None = None,
        failed: str | None = None,
    ) -> Message:
        place = place_of(sender, to, is_room=to in self._world.rooms)
        said = Message(0, place, sender, to, msg_type, content, self._clock.now(), cause, failed)
        message = self._ledger.add_message(said)
        shown_to = self._world.listeners(sender, to) if failed is None else [(sender, to)]
        for account, chat in shown_to:
            self._show(message, account, chat)
        return message

    def _show(self, message: Message, account: str, chat: str) -> None:
        copy = self._copy(message, account, chat)
        self._ledger.add_copy(copy)
        echo = message.cause is not None and message.cause.account == account
        self._pusher.add(account, notification("chatMsg", account, copy.entry), (chat,), echo=echo)

    def _copy(self, message: Message, account: str, chat: str) -> Copy:
        number = self._ledger.copies.total + 1
        svrid, wx_svrid, wx_msgid = str(10**16 + number), self._wx_svrid(message, number), str(10**6 + number)
        cause = message.cause
        named = cause if cause is not None and cause.kind == "send" and account == cause.account else None
        entry = chat_entry(
            svrid=svrid,
            wx_svrid=wx_svrid,
            wx_msgid=wx_msgid,
            client_id=f"c-{number}",
            account=account,
            chat=chat,
            is_room=message.to in self._world.rooms,
            sender=message.sender,
            to=message.to,
            msg_type=message.msg_type,
            content=message.content,
            time=message.time,
            api_ids=_api_ids(named) if named is not None else {},
            in_extra=self._has_ids_in_extra(named),
        )
        what = (message.msg_type, message.content, message.time, entry)
        return Copy(message.number, account, chat, svrid, wx_svrid, wx_msgid, *what)

    def _has_ids_in_extra(self, cause: Cause | None) -> bool:
        if cause is None or self._habits.api_ids_in_extra:
            return self._habits.api_ids_in_extra
        return bool(self._faults.strike(Point.ECHO, _happening(cause)))

    def _wx_svrid(self, message: Message, number: int) -> str:
        if self._habits.wx_svrid is SharedId.ABSENT:
            return ""
        shared = self._habits.wx_svrid is SharedId.SHARED
        return str(7 * 10**18 + (message.number + 1 if shared else number))

    def _api_send_svrid(self, account: str, target: str) -> str:
        self._sent += 1
        return f"{account},{target},{self._clock.now()}{self._sent:06d}"


def _api_ids(cause: Cause) -> dict[str, str]:
    ids = {"api_send_svrid": cause.api_send_svrid}
    return ids if cause.api_send_id is None else {**ids, "api_send_id": str(cause.api_send_id)}


def _happening(cause: Cause) -> Happening:
    path = "/wechat/sendMessage" if cause.kind == "send" else "/wechat/forwardMsg"
    return Happening(cause.account, (cause.target,), path, cause.request, echo=True)
