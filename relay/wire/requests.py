"""The bodies of requests to the platform (platform API §2), composed around bytes that pass unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from relay.wire.entries import REFUSED
from relay.wire.scalars import storable
from relay.wire.spans import picker

_FORWARDED = ("msg_type", "content", "msg_time")
_LATEST = 2**52  # ms since 1970: what a plugin would have wait longer is a mistake, and no number for SQLite
_SPACE = b" \t\r\n"
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message of a sendMessage: the JSON object of `message_body`, and the id of this attempt."""

    body: bytes
    api_send_id: str


class _Forwarded(msgspec.Struct, gc=False):
    msg_type: msgspec.Raw = msgspec.Raw(b"")
    content: msgspec.Raw = msgspec.Raw(b"")
    msg_time: msgspec.Raw = msgspec.Raw(b"")


_decode_forwarded = msgspec.json.Decoder(_Forwarded).decode
_pick_forwarded = picker(*_FORWARDED)


def token_body(app_id: str, app_secret: str) -> bytes:
    """Compose the body of /oauth/token; the platform spells it `grand_type`."""
    return encode({"app_id": app_id, "app_secret": app_secret, "grand_type": "client_credentials"})


def message_body(msg_type: str, content: Mapping[str, object], delayed_time: int = 0) -> bytes:
    """Compose one message to send; `delayed_time` is in unix seconds, 0 for now."""
    message: dict[str, object] = {"msg_type": msg_type, "content": content}
    if delayed_time:
        message["delayed_time"] = delayed_time
    return encode(message)


def delayed_until(message: bytes | None) -> int:
    """When the platform is to send a message that it was told to wait with, in milliseconds; 0: at once."""
    if not message or b"delayed_time" not in message:
        return 0
    read = json.loads(message)
    until = read.get("delayed_time") if isinstance(read, dict) else None
    return min(until * 1000, _LATEST) if isinstance(until, int) else 0


def send_body(
    *, app_id: str, token: str, account: str, target: str, messages: Sequence[OutgoingMessage]
) -> bytes:
    """Compose the body of /wechat/sendMessage for 1 to 5 messages; ValueError if one is not a JSON object."""
    head = {"app_id": app_id, "access_token": token, "wxid": account, "target_wxid": target}
    return _with_messages(head, b",".join(_with_send_id(message) for message in messages))


def forward_body(*, app_id: str, token: str, account: str, targets: Sequence[str], entry: bytes) -> bytes:
    """Compose the body of /wechat/forwardMsg around the received bytes of content, msg_type and msg_time.

    What the entry lacks is left out (platform API §1.6). Raises ValueError where it is not a JSON object.
    """
    head = {"app_id": app_id, "access_token": token, "wxid": account, "chat_wxids": list(targets)}
    parts = [b'"%b":%b' % (name.encode(), value) for name, value in _forwarded(entry) if value]
    return _with_messages(head, b"{%b}" % b",".join(parts))


def encode(value: object) -> bytes:
    """Encode as compact UTF-8 JSON; lone surrogates become U+FFFD, NaN and Infinity raise ValueError."""
    return storable(_encoder.encode(value)).encode()


def _with_messages(head: Mapping[str, object], messages: bytes) -> bytes:
    return b'%b,"messages":[%b]}' % (encode(head)[:-1], messages)


def _with_send_id(message: OutgoingMessage) -> bytes:
    body = message.body.strip(_SPACE)
    if body[:1] != b"{" or body[-1:] != b"}":
        raise ValueError("a message to send must be a JSON object")
    fields = body[1:-1].strip(_SPACE)
    return b'{%b%b"api_send_id":%b}' % (fields, b"," if fields else b"", encode(message.api_send_id))


def _forwarded(entry: bytes) -> list[tuple[str, bytes]]:
    try:
        read = _decode_forwarded(entry)
    except REFUSED:
        return _forwarded_slowly(entry)
    return [
        ("msg_type", bytes(read.msg_type)),
        ("content", bytes(read.content)),
        ("msg_time", bytes(read.msg_time)),
    ]


def _forwarded_slowly(entry: bytes) -> list[tuple[str, bytes]]:
    found = _pick_forwarded(entry)
    return [(name, found.get(name, b"")) for name in _FORWARDED]
