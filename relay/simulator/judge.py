"""What the platform refuses to send, forward or revoke, and with which words (platform API §2 and §4)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from relay.simulator.answers import Refusal
from relay.simulator.entries import to_json
from relay.simulator.ledger import Copy, Ledger
from relay.simulator.parameters import Parameters
from relay.simulator.shelf import ForgottenError
from relay.simulator.world import World

MAX_MESSAGES = 5
REVOKE_WITHIN = 120_000
MAX_SECONDS = 10**10  # whoever sends milliseconds means another field

# What a content must have, per type that can be sent. Other types travel by forwardMsg only.
REQUIRED: dict[str, tuple[str, ...]] = {
    "text": (),
    "announcement": ("text",),
    "picture": ("url",),
    "link": ("title", "url"),
    "file": ("title", "url"),
    "voice": ("url",),
    "video": ("url",),
    "program": ("title",),
    "card": ("wxid",),
    "channel": (),
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message of a sendMessage call that passed; `due` is in milliseconds, 0 meaning now."""

    idx: int
    msg_type: str
    content: bytes
    due: int
    api_send_id: int | str | None


class Judge:
    """Looks at a call before anything happens; every refusal is a `Refusal` with the platform's errcode."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def account(self, call: Parameters) -> str:
        """Give the account that is to act, or refuse."""
        wxid = call.text("wxid")
        if wxid not in self._world.accounts:
            raise Refusal(406, f"wxid {wxid} is not one of your accounts")
        return wxid

    def target(self, wxid: str) -> str:
        """Give a target back, or refuse where nobody has this id."""
        if not self._world.knows(wxid):
            raise Refusal(406, f"the target {wxid} does not exist")
        return wxid

    def messages(self, call: Parameters, account: str, target: str) -> list[Outgoing]:
        """Give the messages that can be sent; bad ones are left out, and the call refused if none is left."""
        parts = call.objects("messages")
        if len(parts) > MAX_MESSAGES:
            raise Refusal(406, f"messages takes 1 to {MAX_MESSAGES} messages")
        passed: list[Outgoing] = []
        first: Refusal | None = None
        for idx, part in enumerate(parts):
            try:
                passed.append(self._message(idx, part, account, target))
            except Refusal as refusal:
                first = first or refusal
        if first is not None and not passed:
            raise first
        return passed

    def forwarded(self, call: Parameters, account: str) -> list[Copy]:
        """Give the received messages that a call repeats; one never received refuses the whole call."""
        return [self._received(part, account) for part in call.objects("messages")]

    def revoked(self, call: Parameters, account: str, now: int) -> Copy:
        """Give the account's copy of the message to take back, or refuse."""
        wanted = (call.text("chat_wxid"), call.text("wx_svrid"), call.text("wx_msgid"))
        for copy in self._ledger.copies:
            if copy.account == account and (copy.chat, copy.wx_svrid, copy.wx_msgid) == wanted:
                with contextlib.suppress(ForgottenError):
                    return self._revocable(copy, now)
        raise Refusal(406, "there is no such message in this chat")

    def _revocable(self, copy: Copy, now: int) -> Copy:
        message = self._ledger.messages.numbered(copy.message)
        if message.sender != copy.account:
            raise Refusal(406, "only your own messages can be revoked")
        if message.revoked:
            raise Refusal(406, "the message has been revoked already")
        if now - message.time > REVOKE_WITHIN:
            raise Refusal(406, "a message can be revoked within 2 minutes only")
        return copy

    def _message(self, idx: int, part: Parameters, account: str, target: str) -> Outgoing:
        msg_type = part.text("msg_type")
        if msg_type not in REQUIRED:
            raise Refusal(406, f"messages[{idx}]: {msg_type} cannot be sent")
        content = part.value("content")
        if not isinstance(content, dict):
            raise Refusal(406, f"messages[{idx}]: content must be an object")
        self._check_content(idx, msg_type, content)
        if msg_type == "announcement" and target not in self._world.rooms:
            raise Refusal(406, f"messages[{idx}]: an announcement needs a room")
        if msg_type == "voice" and not self._ledger.has_voice(account, to_json(content["url"])):
            raise Refusal(406, f"messages[{idx}]: only a voice that was received can be sent")
        seconds = part.number("delayed_time", 0)
        if not 0 <= seconds < MAX_SECONDS:
            raise Refusal(406, f"messages[{idx}]: delayed_time must be a time in seconds")
        return Outgoing(idx, msg_type, part.raw_bytes("content"), seconds * 1000, _api_send_id(part))

    @staticmethod
    def _check_content(idx: int, msg_type: str, content: dict[str, object]) -> None:
        for name in REQUIRED[msg_type]:
            if not isinstance(content.get(name), str) or not content[name]:
                raise Refusal(406, f"messages[{idx}]: content.{name} is missing")
        if msg_type == "text" and not _has_text(content.get("items")):
            raise Refusal(406, f"messages[{idx}]: content.items has no text")

    def _received(self, part: Parameters, account: str) -> Copy:
        time = part.value("msg_time")
        if not isinstance(time, int) or isinstance(time, bool):
            raise Refusal(406, "msg_time must be a whole number of milliseconds")
        copy = self._ledger.received(account, part.text("msg_type"), time, part.raw_bytes("content"))
        if copy is None:
            raise Refusal(
                406, "only a message that this account received can be forwarded, exactly as it came"
            )
        return copy


def _has_text(items: object) -> bool:
    return isinstance(items, list) and any(
        isinstance(item, dict) and isinstance(item.get("text"), str) and item["text"] for item in items
    )


def _api_send_id(part: Parameters) -> int | str | None:
    value = part.value("api_send_id")
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise Refusal(406, "api_send_id must be a number or a string")
