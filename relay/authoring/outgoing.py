"""Messages of ours, in the platform's own fields (platform-api, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relay.wire.requests import message_body


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A message to send, in the platform's words; it waits there until `delayed_time` (unix seconds)."""

    type: str
    content: dict[str, Any] = field(hash=False)
    delayed_time: int = 0

    def __repr__(self) -> str:
        """As a plugin writes it: a text as its words, anything else as what builds it."""
        fields = dict(self.content)
        match self.content:
            case {"items": [{"text": str(words)}]} if self.type == "text":
                if not self.delayed_time:
                    return repr(words)
                fields = {"text": words}
        if self.delayed_time:
            fields["delayed_time"] = self.delayed_time
        return f"{self.type}({', '.join(f'{key}={value!r}' for key, value in fields.items())})"

    def body(self) -> bytes:
        """The message as sendMessage wants it, but for the attempt's id."""
        return message_body(self.type, self.content, self.delayed_time)


def _given(type_: str, **fields: object) -> Outgoing:
    """Only what was given goes into the content."""
    return Outgoing(type_, {name: value for name, value in fields.items() if value is not None})


def text(text: str) -> Outgoing:
    """Plain words; a bare string means the same."""
    return Outgoing("text", {"items": [{"type": "text", "text": text}]})


def announcement(text: str) -> Outgoing:
    """A room's announcement; rooms only."""
    return _given("announcement", text=text)


def picture(url: str) -> Outgoing:
    """A picture that the platform fetches from `url`."""
    return _given("picture", url=url)


def link(url: str, title: str, desc: str = "", cover: str = "") -> Outgoing:
    """A link shown as a card."""
    return _given("link", url=url, title=title, desc=desc, cover=cover)


def file(url: str, title: str) -> Outgoing:
    """A file that the platform fetches from `url`; `title` is its name."""
    return _given("file", url=url, title=title)


def voice(url: str, duration: int, org_content: object = None) -> Outgoing:
    """A voice message; the platform sends only one that was received. `duration` is 1 to 60 seconds."""
    return _given("voice", url=url, duration=duration, org_content=org_content)


def video(
    url: str, cover: str | None = None, duration: int | None = None, title: str | None = None
) -> Outgoing:
    """A video that the platform fetches from `url`; `duration` in seconds."""
    return _given("video", url=url, cover=cover, duration=duration, title=title)


def program(title: str, cover: str, page: str, org_content: object) -> Outgoing:
    """A mini program, as one was received."""
    return _given("program", title=title, cover=cover, page=page, org_content=org_content)


def card(
    wxid: str, nickname: str = "", avatar: str = "", corp_name: str = "", corp_wxid: str | None = None
) -> Outgoing:
    """Somebody's business card."""
    return _given(
        "card", wxid=wxid, nickname=nickname, avatar=avatar, corp_name=corp_name, corp_wxid=corp_wxid
    )
