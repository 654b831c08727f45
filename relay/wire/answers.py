"""What the platform answers (platform API §2), read tolerantly: whatever cannot be read has no errcode."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from relay.wire.entries import REFUSED
from relay.wire.scalars import int_of_token, text_of_token
from relay.wire.spans import elements, members, value_end

MAX_MESSAGE = 500
TOKEN_SECONDS = 7200  # what the platform documents, where an answer does not say

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_errcode = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and what its body says; `data` and `pager` are JSON as received, b"" where missing."""

    status: int
    errcode: int | None = None
    """None: the body is no JSON object, is cut off, or has no errcode that is a number."""
    message: str = ""
    """The platform's own words, at most `MAX_MESSAGE` characters."""
    data: bytes = field(default=b"", repr=False)
    pager: bytes = field(default=b"", repr=False)
    body: bytes = field(default=b"", repr=False)
    retry_after: str = ""
    """The header of that name, whatever it says."""
    date: str = field(default="", compare=False)
    """That one too: what the platform's clock showed."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and for how many seconds it is good."""

    access_token: str = field(repr=False)
    expires_in: int


class _Plain(msgspec.Struct, gc=False):
    """An answer as documented, which a decoder can be trusted with."""

    errcode: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    pager: msgspec.Raw = msgspec.Raw(b"")


class _Sent(msgspec.Struct, gc=False):
    idx: int
    api_send_svrid: str = ""


_decode_plain = msgspec.json.Decoder(_Plain).decode
_decode_sent = msgspec.json.Decoder(list[_Sent]).decode
_ODD = (b"\\", b"\0", b"errmsg")  # escapes, and what else only the tolerant reader reads right


def _read_fast(status: int, text: bytes) -> Answer | None:
    """The answer, where it is as documented; the tolerant reader takes twenty times as long."""
    if any(odd in text for odd in _ODD):
        return None
    try:
        plain = _decode_plain(text)
        text.decode()  # what passes unread must be text too
    except REFUSED:
        return None
    if abs(plain.errcode) > 999_999_999:
        return None
    data, pager = bytes(plain.data), bytes(plain.pager)
    return Answer(status, plain.errcode, plain.message[:MAX_MESSAGE], data, pager, text)


def read_answer(status: int, body: bytes) -> Answer:
    """Read any answer; it never raises."""
    text = body.strip(_SPACE).removeprefix(_BOM).strip(_SPACE)
    fast = _read_fast(status, text)
    return _read_slowly(status, text) if fast is None else fast


def _read_slowly(status: int, text: bytes) -> Answer:
    found = _whole_object(text)
    errcode = text_of_token(found.get("errcode", b"")).strip()
    message = text_of_token(found.get("message", b"")) or text_of_token(found.get("errmsg", b""))
    return Answer(
        status=status,
        errcode=int(errcode) if _errcode.fullmatch(errcode) else None,
        message=message[:MAX_MESSAGE],
        data=found.get("data", b""),
        pager=found.get("pager", b""),
        body=text,
    )


def read_token(answer: Answer) -> Token | None:
    """Find the token of /oauth/token, under `data` or at the root; None if there is none."""
    for place in (answer.data, answer.body):
        found = _object(place)
        access_token = text_of_token(found.get("access_token", b""))
        if access_token:
            expires_in = int_of_token(found.get("expires_in", b""))
            return Token(access_token, expires_in if expires_in > 0 else TOKEN_SECONDS)
    return None


def read_sent(answer: Answer) -> dict[int, str]:
    """Read sendMessage's `data` as {idx: api_send_svrid}; a message whose idx is missing was not accepted."""
    sent = _read_sent_fast(answer.data)
    if sent is not None:
        return sent
    sent = {}
    for part in _list(answer.data):
        record = _object(part)
        idx = text_of_token(record.get("idx", b"")).strip()
        if idx.isdecimal() and len(idx) < 10:
            sent[int(idx)] = text_of_token(record.get("api_send_svrid", b""))
    return sent


def _read_sent_fast(data: bytes) -> dict[int, str] | None:
    if data[:1] != b"[" or any(odd in data for odd in _ODD):
        return None
    try:
        sent = {each.idx: each.api_send_svrid for each in _decode_sent(data)}
    except REFUSED:
        return None
    return sent if all(0 <= idx <= 999_999_999 for idx in sent) else None


def read_records(answer: Answer) -> tuple[dict[str, str], ...]:
    """Read the records of a list, such as /wechat/list: the single-valued fields of each, as text.

    They are `data` itself, or the first list in it.
    """
    return tuple(
        {name: text_of_token(token) for name, token in _object(part).items()}
        for part in _list(answer.data)
        if part[:1] == b"{"
    )


def list_of(answer: Answer) -> bytes:
    """The list that `data` is, or the first one in it, as JSON; its elements byte for byte as received."""
    return b"[" + b",".join(_list(answer.data)) + b"]" if answer.data else b"[]"


def read_strings(answer: Answer, name: str = "") -> tuple[str, ...]:
    """Read a list of ids or addresses: `data` itself, as in /index/serverIpList, or its member `name`."""
    data = _object(answer.data).get(name, b"") if name else answer.data
    return tuple(filter(None, map(text_of_token, _list(data))))


def read_pages(answer: Answer) -> int:
    """Read how many pages a list has; 0 where the answer does not say."""
    pager = answer.pager or _object(answer.data).get("pager", b"")
    return max(0, int_of_token(_object(pager).get("numPages", b"")))


def _whole_object(text: bytes) -> dict[str, bytes]:
    try:
        return _object(text) if value_end(text) == len(text) else {}
    except ValueError:
        return {}


def _object(token: bytes) -> dict[str, bytes]:
    try:
        return {name: token[a:b] for name, (a, b) in members(token).items()}
    except ValueError:
        return {}


def _list(token: bytes) -> list[bytes]:
    """Give the elements of a list, or of the first list in an object, or else the object as the only one."""
    if token[:1] == b"{":
        lists = [value for value in _object(token).values() if value[:1] == b"["]
        return _list(lists[0]) if lists else [token]
    try:
        return [token[a:b] for a, b in elements(token)]
    except ValueError:
        return []
