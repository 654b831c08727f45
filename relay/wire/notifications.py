"""What a callback brings: its notifications, taken apart into entries (platform API §3, "Envelope").

The fast way decodes the envelope and refuses whatever is odd; the slow way looks only for where its parts
begin and end. What cannot be read at all is damage, and costs none of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from relay.errors import BodyError
from relay.wire.entries import PRIVATE, REFUSED, ROOM, Entry, read_entry
from relay.wire.scalars import storable, text_of_token
from relay.wire.spans import each_element, picker, rough_end

__all__ = [
    "CHAT_MSG",
    "PRIVATE",
    "ROOM",
    "SEND_FAIL",
    "Damage",
    "Entry",
    "Reading",
    "read_entries",
    "read_notifications",
]

CHAT_MSG = "chatMsg"
SEND_FAIL = "chatMsgSendFail"

MAX_DAMAGED_PARTS = 16
MAX_DAMAGED_BYTES = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_MAY_BE_EMPTY = (CHAT_MSG, SEND_FAIL)


@dataclass(frozen=True, slots=True)
class Damage:
    """A part that is not JSON, cut to `MAX_DAMAGED_BYTES`; reason "body", "notification" or "entry"."""

    reason: str
    part: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a callback brought, and the first `MAX_DAMAGED_PARTS` parts of it that could not be read."""

    entries: tuple[Entry, ...]
    damaged: tuple[Damage, ...] = ()
    damaged_count: int = 0


class _Envelope(msgspec.Struct, gc=False):
    type: str
    data: list[msgspec.Raw]
    rel_wxid: str | None = None


_decode_envelopes = msgspec.json.Decoder(list[_Envelope]).decode
_pick_envelope = picker("type", "rel_wxid", "data", end_of=rough_end)


@dataclass(slots=True)
class _Collector:
    entries: list[Entry] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    damaged_count: int = 0

    def entry(self, kind: str, account: str, raw: bytes) -> None:
        try:
            self.entries.append(read_entry(kind, account, raw))
        except ValueError:
            self.damage("entry", raw)

    def damage(self, reason: str, part: bytes) -> None:
        self.damaged_count += 1
        if len(self.damaged) < MAX_DAMAGED_PARTS:
            self.damaged.append(Damage(reason, part[:MAX_DAMAGED_BYTES]))

    def reading(self) -> Reading:
        return Reading(tuple(self.entries), tuple(self.damaged), self.damaged_count)


def read_notifications(plaintext: bytes) -> Reading:
    """Take a callback's JSON apart into entries, in the order received; nothing of it is lost silently.

    A notification of an unknown type without data, or of any type without a `data` member, is itself an
    entry. Raises BodyError("json") where there is neither an array nor an object.
    """
    try:
        envelopes = _decode_envelopes(plaintext)
    except REFUSED:
        return _read_slowly(plaintext)
    collector = _Collector()
    for envelope in envelopes:
        kind, account = storable(envelope.type.strip()), storable(envelope.rel_wxid or "")
        if not envelope.data and kind not in _MAY_BE_EMPTY:
            return _read_slowly(
                plaintext
            )  # the notification itself is the entry, and only spans give its bytes
        for raw in envelope.data:
            collector.entry(kind, account, bytes(raw))
    return collector.reading()


def read_entries(kind: str, account: str, data: bytes) -> Reading:
    """Take apart entries that came without an envelope, such as the `data` of a /wechat/chatLogs answer."""
    collector = _Collector()
    _read_data(kind, account, data.strip(_SPACE), collector)
    return collector.reading()


def _read_slowly(plaintext: bytes) -> Reading:
    collector = _Collector()
    text = _without_rest(plaintext.strip(_SPACE).removeprefix(_BOM).strip(_SPACE), collector)
    if text[:1] == b"{":
        _read_notification(text, collector)
    elif text[:1] == b"[":
        for part in _parts(text, "body", collector):
            _read_notification(part, collector)
    else:
        raise BodyError("json")
    return collector.reading()


def _without_rest(text: bytes, collector: _Collector) -> bytes:
    """Cut off what follows the first value: it belongs to nothing."""
    try:
        end = rough_end(text)
    except ValueError:
        return text
    if end < len(text):
        collector.damage("body", text[end:])
    return text[:end]


def _parts(text: bytes, reason: str, collector: _Collector) -> Iterator[bytes]:
    """Yield an array's elements; from where not even the brackets match, the rest is damage."""
    end = 0
    try:
        for begin, end in each_element(text, 0, rough_end):
            yield text[begin:end]
    except ValueError:
        collector.damage(reason, text[end:])


def _read_notification(text: bytes, collector: _Collector) -> None:
    try:
        parts = _pick_envelope(text)
        kind = text_of_token(parts.get("type", b"")).strip()
        account = text_of_token(parts.get("rel_wxid", b""))
    except ValueError:
        collector.damage("notification", text)
        return
    data = parts.get("data", b"")
    if data and not _is_empty(data):
        _read_data(kind, account, data, collector)
    elif not data or kind not in _MAY_BE_EMPTY:
        collector.entry(kind, account, text)


def _is_empty(data: bytes) -> bool:
    return data == b"null" or (data[:1] == b"[" and not data[1:-1].strip(_SPACE))


def _read_data(kind: str, account: str, data: bytes, collector: _Collector) -> None:
    if data[:1] != b"[":
        collector.entry(kind, account, data)
        return
    for part in _parts(data, "notification", collector):
        collector.entry(kind, account, part)
