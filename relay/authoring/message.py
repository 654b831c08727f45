"""A received message, as plugins see it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from relay.authoring.matching import normalise
from relay.wire.content import Content, TextContent, content_of, content_view, mentioned, text_of


@dataclass(frozen=True)
class Message:
    """What somebody said in a chat that one of our accounts is in.

    `time` is when it was said, in the bot's time zone; `raw` is the platform's entry, byte for byte;
    `late` says that it was fetched after an outage and not heard when it was said.
    """

    id: str
    svrid: str
    account: str
    chat: str
    chat_type: str
    sender: str
    type: str
    time: dt.datetime
    raw: bytes
    own: bool = False
    late: bool = False

    @cached_property
    def text(self) -> str:
        """The words of a text or an announcement; "" for other types."""
        return text_of(self.type, content_of(self.raw))

    @cached_property
    def compared(self) -> str:
        """The text in the form in which words are compared (`normalise`)."""
        return normalise(self.text)

    @cached_property
    def content(self) -> Content:
        """The content, typed for the known types; unknown fields are kept."""
        return content_view(self.type, content_of(self.raw))

    @cached_property
    def mentions(self) -> tuple[str, ...]:
        """Whom a text addresses with an @, as far as the platform tells: ids, else names."""
        content = self.content
        return mentioned(content) if isinstance(content, TextContent) else ()
