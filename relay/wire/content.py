"""What the content of a message says (platform API §4): its received bytes, its text, a typed view."""

from __future__ import annotations

import json
import re
from typing import Annotated

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from relay.wire.entries import REFUSED
from relay.wire.scalars import int_of_token, storable, text_of_token
from relay.wire.spans import elements, picker, string_of

TYPES = (
    "text",
    "announcement",
    "picture",
    "link",
    "file",
    "voice",
    "video",
    "program",
    "card",
    "channel",
    "system",
    "revoke",
    "location",
    "redpacket",
    "emotionpic",
    "imgtext",
    "merge",
)
"""Every msg_type that the platform names; others may come, and are treated as content of unknown shape."""

_WITH_TEXT = ("text", "announcement")


class _Contained(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw(b"")


class _TextItem(msgspec.Struct, gc=False):
    text: str | None = None


class _TextItems(msgspec.Struct, gc=False):
    items: list[_TextItem]


_decode_contained = msgspec.json.Decoder(_Contained).decode
_decode_items = msgspec.json.Decoder(_TextItems).decode
_pick_content = picker("content")
_pick_text = picker("items", "text")


def content_of(raw: bytes) -> bytes:
    """Give the bytes of `content` in an entry exactly as received; b"" if it has none.

    Raises ValueError where `raw` is not a JSON object.
    """
    try:
        return bytes(_decode_contained(raw).content)
    except REFUSED:
        return _pick_content(raw).get("content", b"")


def text_of(type: str, content: bytes) -> str:  # noqa: A002 - the platform's word
    """Give the text that a person would read in a text or an announcement; "" for other types.

    Never raises: what cannot be read has no text.
    """
    if type not in _WITH_TEXT:
        return ""
    try:
        return storable("".join(item.text or "" for item in _decode_items(content).items))
    except REFUSED:
        return _text_slowly(content)


def same_content(sent: bytes, echoed: bytes) -> bool:
    """Say whether two contents mean the same, however the platform spells it on the way back."""
    if sent == echoed:
        return True
    try:
        return bool(_read_exactly(sent) == _read_exactly(echoed))
    except (ValueError, RecursionError):
        return False


def _read_exactly(content: bytes) -> object:
    return json.loads(content, parse_int=str, parse_float=str)


def _text_slowly(content: bytes) -> str:
    try:
        if content[:1] != b'"':
            return _text_in(content)
        text = storable(string_of(content))
    except ValueError:
        return ""
    try:
        return _text_in(text.strip().encode()) or text
    except ValueError:  # a plain string, not an encoded object
        return text


def _text_in(token: bytes) -> str:
    """Read an object's `items`, or its `text` where it has none; ValueError if it is no object."""
    found = _pick_text(token)
    items = found.get("items", b"")
    if items[:1] == b"[":
        return "".join(_text_of_item(items[a:b]) for a, b in elements(items))
    return _text_of_item(items) or text_of_token(found.get("text", b""))


def _text_of_item(token: bytes) -> str:
    if token[:1] != b"{":
        return text_of_token(token) if token[:1] == b'"' else ""
    return text_of_token(_pick_text(token).get("text", b""))


def _as_text(value: object) -> object:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


def _as_number(value: object) -> object:
    return int_of_token(json.dumps(value).encode()) if isinstance(value, str | float | None) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_item(value: object) -> object:
    if isinstance(value, str):
        return {"type": "text", "text": value}
    return value if isinstance(value, dict) else {"value": value}


_Text = Annotated[str, BeforeValidator(_as_text)]
_Number = Annotated[int, BeforeValidator(_as_number)]


class Content(BaseModel):
    """Content of any shape: all fields that came are attributes; what is no object stands under `value`."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class TextItem(Content):
    """A piece of a text: `type` is "text", or another kind such as an emoji or a mention."""

    type: _Text = ""
    text: _Text = ""


class TextContent(Content):
    """A text, in pieces."""

    items: Annotated[list[Annotated[TextItem, BeforeValidator(_as_item)]], BeforeValidator(_as_list)] = []


_MENTION = ("@", "at", "mention")
_WHOM = ("wxid", "at_wxid", "user_wxid", "id")


def mentioned(content: TextContent) -> tuple[str, ...]:
    """Whom the pieces of a text name that are mentions: the platform documents neither their type nor fields.

    An id where one stands in a field that may hold it, else the name as it was written, without its @.
    """
    pieces = [item for item in content.items if item.type.lower() in _MENTION]
    return tuple(whom for piece in pieces if (whom := _whom(piece)))


def _whom(piece: TextItem) -> str:
    ids = (str(value) for name in _WHOM if (value := getattr(piece, name, "")))
    return next(ids, "") or piece.text.strip(" @＠\u2005")


class AnnouncementContent(Content):
    """A room's announcement."""

    text: _Text = ""


class PictureContent(Content):
    """A picture; `url` may follow some seconds after the callback."""

    url: _Text = ""


class LinkContent(Content):
    """A link with its preview."""

    title: _Text = ""
    desc: _Text = ""
    url: _Text = ""
    cover: _Text = ""


class FileContent(Content):
    """A file; `title` is its name."""

    title: _Text = ""
    url: _Text = ""


class VoiceContent(Content):
    """A voice message of `duration` seconds, 1 to 60; `org_content` is what sending it again needs."""

    url: _Text = ""
    duration: _Number = 0
    org_content: object = None


class VideoContent(Content):
    """A video; which fields it has is our reading of the platform, not its word."""

    url: _Text = ""
    cover: _Text = ""
    duration: _Number = 0
    title: _Text = ""


class ProgramContent(Content):
    """A mini program; `org_content` is an object or a string."""

    title: _Text = ""
    cover: _Text = ""
    page: _Text = ""
    org_content: object = None


class CardContent(Content):
    """Somebody's contact card."""

    wxid: _Text = ""
    nickname: _Text = ""
    avatar: _Text = ""
    corp_name: _Text = ""
    corp_wxid: _Text = ""


_MODELS: dict[str, type[Content]] = {
    "text": TextContent,
    "announcement": AnnouncementContent,
    "picture": PictureContent,
    "link": LinkContent,
    "file": FileContent,
    "voice": VoiceContent,
    "video": VideoContent,
    "program": ProgramContent,
    "card": CardContent,
}


def content_view(type: str, content: bytes) -> Content:  # noqa: A002 - the platform's word
    """Give a typed view of a message's content; it never raises, and keeps the fields it does not know.

    A field of an unexpected type makes it a plain `Content`. The view is for reading: numbers lose their
    spelling in it, lone surrogates and NUL become U+FFFD.
    """
    value = _decoded(content)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        inner = _decoded(value.encode())
        value = inner if isinstance(inner, dict) else value
    fields = value if isinstance(value, dict) else _fields_for(type, value)
    try:
        return _MODELS.get(type, Content).model_validate(fields)
    except ValidationError:
        return Content.model_validate(fields)


def _fields_for(type: str, value: object) -> dict[str, object]:  # noqa: A002 - the platform's word
    if isinstance(value, str) and type == "text":
        return {"items": [value]}
    if isinstance(value, str) and type == "announcement":
        return {"text": value}
    return {} if value is None else {"value": value}


_HEX = "[0-9a-fA-F]"
_escape = re.compile(
    rf"(\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}})"  # a pair: one character
    rf"|(\\u(?:[dD][89a-fA-F]{_HEX}{{2}}|0000))"  # half a pair, or NUL: none
    r"|\\.",
    re.DOTALL,
)


def _decoded(content: bytes) -> object:
    """Decode what Python can; text that it cannot (too deep, not JSON) is given as it is."""
    text = storable(content.decode("utf-8", "replace"))
    if not text:
        return None
    whole = _escape.sub(lambda match: r"\ufffd" if match[2] else match[0], text) if "\\" in text else text
    try:
        return json.loads(whole, strict=False, parse_int=_int_or_text)
    except (ValueError, RecursionError):
        return text


def _int_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 4000 else digits  # Python refuses to convert more than 4,300
