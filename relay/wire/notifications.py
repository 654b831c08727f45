"""What a callback brings: its notifications, taken apart into entries (platform API §3, "Envelope").

The fast way decodes the envelope and refuses whatever is odd; the slow way looks only for where its parts
begin and end. What cannot be read at all is damage, and costs none of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from relay.errors import BodyError
from relay.wire.entries import MAX_ID, PRIVATE, REFUSED, ROOM, Entry, read_entry
from relay.wire.scalars import storable, text_of_token
from relay.wire.spans import each_element, picker, rough_end, value_end

__all__ = [
    "CHAT_MSG",
    "NOTIFICATIONS",
    "PRIVATE",
    "ROOM",
    "SEND_FAIL",
    "Damage",
    "Entry",
    "Reading",
    "read_entries",
    "read_in_chunks",
    "read_notifications",
]

CHAT_MSG = "chatMsg"
SEND_FAIL = "chatMsgSendFail"
NOTIFICATIONS = (CHAT_MSG, SEND_FAIL, "contacts", "taskDone")
"""Every type of notification that the platform names; others may come."""

MAX_DAMAGED_PARTS = 16
MAX_DAMAGED_BYTES = 64 * 1024

MAX_KIND = 200  # characters of a notification's type
CHUNK_ENTRIES = 256
CHUNK_BYTES = 1024 * 1024

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
    may_keep: int = MAX_DAMAGED_PARTS
    size: int = 0

    def entry(self, kind: str, account: str, raw: bytes) -> None:
        self.size += len(raw)
        if kind == CHAT_MSG and raw[:1] != b"{":  # it has no chat, no sender and no content
            self.damage("entry", raw)
            return
        try:
            self.entries.append(read_entry(kind, account, raw))
        except ValueError:
            self.damage("entry", raw)

    def damage(self, reason: str, part: bytes) -> None:
        self.damaged_count += 1
        if self.may_keep:
            self.may_keep -= 1
            self.damaged.append(Damage(reason, part[:MAX_DAMAGED_BYTES]))

    def reading(self) -> Reading:
        return Reading(tuple(self.entries), tuple(self.damaged), self.damaged_count)

    @property
    def full(self) -> bool:
        return len(self.entries) >= CHUNK_ENTRIES or self.size >= CHUNK_BYTES

    def rest(self) -> _Collector:
        """An empty one, for what comes after this."""
        return _Collector(may_keep=self.may_keep)


_Put = Callable[[_Collector], None]


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
        kind, account = _head(storable(envelope.type), storable(envelope.rel_wxid or ""))
        if not envelope.data and kind not in _MAY_BE_EMPTY:
            return _read_slowly(
                plaintext
            )  # the notification itself is the entry, and only spans give its bytes
        for raw in envelope.data:
            collector.entry(kind, account, bytes(raw))
    return collector.reading()


def read_in_chunks(plaintext: bytes) -> Iterator[Reading]:
    """The same for a large body, a bounded part at a time: it may hold millions of entries."""
    collector = _Collector()
    for put in _steps(plaintext):
        put(collector)
        if collector.full:
            yield collector.reading()
            collector = collector.rest()
    yield collector.reading()


def read_entries(kind: str, account: str, data: bytes) -> Reading:
    """Take apart entries that came without an envelope, such as the `data` of a /wechat/chatLogs answer."""
    collector = _Collector()
    for put in _each_entry(kind, account, data.strip(_SPACE)):
        put(collector)
    return collector.reading()


def _head(kind: str, account: str) -> tuple[str, str]:
    return kind.strip()[:MAX_KIND], account if len(account) <= MAX_ID else ""


def _read_slowly(plaintext: bytes) -> Reading:
    collector = _Collector()
    for put in _steps(plaintext):
        put(collector)
    return collector.reading()


def _steps(plaintext: bytes) -> Iterator[_Put]:
    """One part after the other, each as what puts it into a collector."""
    text = plaintext.strip(_SPACE).removeprefix(_BOM).strip(_SPACE)
    end = _end(text)
    if end < len(text):  # what follows the first value belongs to nothing
        yield _damage("body", text[end:])
        text = text[:end]
    if text[:1] == b"{":
        yield from _each_of_notification(text)
    elif text[:1] == b"[":
        for part in _parts(text):
            if isinstance(part, bytes):
                yield from _each_of_notification(part)
            else:
                yield _damage("body", text[part:])
    else:
        raise BodyError("json")


def _end(text: bytes) -> int:
    try:
        return rough_end(text)
    except ValueError:
        return len(text)


def _damage(reason: str, part: bytes) -> _Put:
    return lambda collector: collector.damage(reason, part)


def _entry(kind: str, account: str, raw: bytes) -> _Put:
    return lambda collector: collector.entry(kind, account, raw)


def _parts(text: bytes) -> Iterator[bytes | int]:
    """Yield an array's elements; from where not even the brackets match, the position of the rest."""
    end = 0
    try:
        for begin, end in each_element(text, 0, rough_end):
            yield text[begin:end]
    except ValueError:
        yield end


def _each_of_notification(text: bytes) -> Iterator[_Put]:
    try:
        parts = _pick_envelope(text)
        kind, account = _head(_short_text(parts.get("type", b"")), _short_text(parts.get("rel_wxid", b"")))
    except ValueError:
        yield _damage("notification", text)
        return
    data = parts.get("data", b"")
    if data and not _is_empty(data):
        yield from _each_entry(kind, account, data)
    elif not data or kind not in _MAY_BE_EMPTY:
        yield _entry(kind, account, text)
    elif not _is_json(text):
        yield _damage("notification", text)


def _short_text(token: bytes) -> str:
    return text_of_token(token) if len(token) <= MAX_DAMAGED_BYTES else ""


def _is_empty(data: bytes) -> bool:
    return data == b"null" or (data[:1] == b"[" and not data[1:-1].strip(_SPACE))


def _is_json(text: bytes) -> bool:
    try:
        return value_end(text) == len(text)
    except ValueError:
        return False


def _each_entry(kind: str, account: str, data: bytes) -> Iterator[_Put]:
    if data[:1] != b"[":
        yield _entry(kind, account, data)
        return
    for part in _parts(data):
        yield _entry(kind, account, part) if isinstance(part, bytes) else _damage("notification", data[part:])
