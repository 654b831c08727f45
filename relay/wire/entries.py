"""One entry of a callback, and the two ways to read it: fast, or tolerant of all that a decoder refuses."""

from __future__ import annotations

import msgspec

from relay.wire.scalars import INT64_MAX, INT64_MIN, id_of_token, int_of_token, storable, text_of_token
from relay.wire.spans import picker, string_of, value_end

ROOM, PRIVATE = "room", "private"

REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for a text that it does not take; the slow way may still read it."""

_CHAT_TYPES = {1: PRIVATE, 2: ROOM}
ROOM_PREFIX = "R:"
_IDS = ("svrid", "wx_svrid", "wx_msgid")
_TEXTS = ("wxid", "chat_wxid", "from_wxid", "to_wxid", "msg_type")
_INTS = ("chat_type", "msg_time")
_SEND_IDS = ("api_send_id", "api_send_svrid")
_REASONS = ("message", "reason", "errmsg", "error")
MAX_REASON = 500
MAX_ID = 8192
"""Characters of an id: what is longer is none, and would be stored and looked for again and again."""
_MAX_TOKEN = 12 * MAX_ID + 2  # bytes of one: a character is two escaped surrogates at the most
_MAX_EXTRA = 64 * 1024


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a callback; its texts can be stored as UTF-8, and what is absent is "" or 0."""

    kind: str
    """The notification's type, trimmed: "chatMsg", "chatMsgSendFail", or one nobody documented."""
    account: str
    """Our account that it came to: the notification's rel_wxid, else the entry's wxid."""
    raw: bytes
    """The entry's JSON exactly as received."""
    svrid: str = ""
    wx_svrid: str = ""
    wx_msgid: str = ""
    chat: str = ""
    chat_type: str = ""
    """"room" or "private"; "" where neither chat_type nor the chat's id tells."""
    sender: str = ""
    recipient: str = ""
    type: str = ""
    """The msg_type."""
    time: int = 0
    """The msg_time: milliseconds since 1970, clamped to signed 64 bits."""
    api_send_id: str = ""
    api_send_svrid: str = ""


class _SendIds(msgspec.Struct, gc=False):
    api_send_id: str | int | None = None
    api_send_svrid: str | int | None = None


class _Fields(_SendIds, gc=False):
    wxid: str | None = None
    svrid: str | None = None
    wx_svrid: str | None = None
    wx_msgid: str | None = None
    chat_wxid: str | None = None
    chat_type: int | None = None
    from_wxid: str | None = None
    to_wxid: str | None = None
    msg_type: str | None = None
    msg_time: int | None = None
    extra: msgspec.Raw = msgspec.Raw(b"")


_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_extra = msgspec.json.Decoder(_SendIds).decode
_pick_fields = picker(*_IDS, *_TEXTS, *_INTS, *_SEND_IDS, "extra")
_pick_send_ids = picker(*_SEND_IDS)
_pick_reasons = picker(*_REASONS)


def read_entry(kind: str, account: str, raw: bytes) -> Entry:
    """Read the entry whose JSON is `raw`; one that is no object keeps only `kind`, `account` and `raw`.

    Raises ValueError where `raw` is not JSON.
    """
    try:
        entry = _read_fast(kind, account, raw)
    except REFUSED:
        entry = _read_slow(kind, account, raw)
    return entry if len(raw) <= MAX_ID else _bounded(entry)


def _bounded(entry: Entry) -> Entry:
    """The entry without the ids that are too long to be any."""
    ids = [name for name in entry.__struct_fields__ if name not in ("kind", "raw", "time")]
    long = {name: "" for name in ids if len(getattr(entry, name)) > MAX_ID}
    return msgspec.structs.replace(entry, **long) if long else entry


def _read_fast(kind: str, account: str, raw: bytes) -> Entry:
    if rb"\u0000" in raw:
        raise ValueError("a text may hold NUL")
    read = _decode_fields(raw)
    send_id, send_svrid = _send_ids(read)
    chat = read.chat_wxid or ""
    time = read.msg_time or 0
    return Entry(
        kind,
        account or read.wxid or "",
        raw,
        _id(read.svrid),
        _id(read.wx_svrid),
        _id(read.wx_msgid),
        chat,
        _CHAT_TYPES.get(read.chat_type or 0) or _chat_type_of(chat),
        read.from_wxid or "",
        read.to_wxid or "",
        read.msg_type or "",
        time if INT64_MIN <= time <= INT64_MAX else INT64_MAX if time > 0 else INT64_MIN,
        send_id,
        send_svrid,
    )


def _send_ids(read: _Fields) -> tuple[str, str]:
    """Look at the entry's root, then in `extra`: where they stand is a guess (platform API §3)."""
    extra = bytes(read.extra)
    if (b"api_send" not in extra and b"\\" not in extra) or len(extra) > _MAX_EXTRA:
        return _id(read.api_send_id), _id(read.api_send_svrid)
    more = _decode_extra(extra)
    return (
        _id(read.api_send_id) or _id(more.api_send_id),
        _id(read.api_send_svrid) or _id(more.api_send_svrid),
    )


def _id(value: str | int | None) -> str:
    return "" if value in (None, "", 0, "0", "-0") else str(value)


def _chat_type_of(chat: str) -> str:
    if not chat:
        return ""
    return ROOM if chat.startswith(ROOM_PREFIX) else PRIVATE


def _read_slow(kind: str, account: str, raw: bytes) -> Entry:
    if value_end(raw) != len(raw):
        raise ValueError("more than one value")
    if raw[:1] != b"{":
        return Entry(kind, account, raw)
    tokens = {name: token for name, token in _pick_fields(raw).items() if len(token) <= _MAX_TOKEN}
    text = {name: text_of_token(tokens.get(name, b"")) for name in _TEXTS}
    ids = {name: id_of_token(tokens.get(name, b"")) for name in _IDS}
    extra = _tokens_of_extra(tokens.get("extra", b""))
    send = {
        name: id_of_token(tokens.get(name, b"")) or id_of_token(extra.get(name, b"")) for name in _SEND_IDS
    }
    return Entry(
        kind=kind,
        account=account or text["wxid"],
        raw=raw,
        chat=text["chat_wxid"],
        chat_type=_CHAT_TYPES.get(int_of_token(tokens.get("chat_type", b"")))
        or _chat_type_of(text["chat_wxid"]),
        sender=text["from_wxid"],
        recipient=text["to_wxid"],
        type=text["msg_type"],
        time=int_of_token(tokens.get("msg_time", b"")),
        **ids,
        **send,
    )


def _tokens_of_extra(token: bytes) -> dict[str, bytes]:
    """Read `extra`, which may be an object, an object encoded as a string, or anything else."""
    if len(token) > _MAX_EXTRA:
        return {}
    if token[:1] == b'"':
        token = storable(string_of(token)).strip().encode()
    try:
        return _pick_send_ids(token)
    except ValueError:
        return {}


def failure_reason(raw: bytes) -> str:
    """Give the reason in a chatMsgSendFail entry, or ""; where it stands is a guess (platform API §3)."""
    try:
        tokens = _pick_reasons(raw)
    except ValueError:
        return ""
    texts = (text_of_token(tokens.get(name, b"")) for name in _REASONS)
    return next(filter(None, texts), "")[:MAX_REASON]
