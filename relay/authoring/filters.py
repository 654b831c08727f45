"""The keys by which rules and routes choose messages: who said it, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, PrivateAttr

from relay.authoring.message import Message
from relay.authoring.schedule import Days, Hours, closed
from relay.config.problems import UnfitError, did_you_mean, refuse
from relay.config.values import ChatList
from relay.language import Text
from relay.wire.content import TYPES

TAKEN = Text("和 [{first}] 重名", "is the name of [{first}] already")
MOST = 5  # values of a list that are told
LONGEST = 30  # characters of one of them

DIFFER = Text("名字不能重复", "names must differ")


class Filter(BaseModel):
    """What a rule or route asks of any message; a settings model gets these keys by inheriting them."""

    senders: ChatList = ()
    not_senders: ChatList = ()
    hours: Hours = Hours()
    days: Days = ()
    _lists: dict[str, str] = PrivateAttr(default_factory=dict)

    def refusal(self, message: Message) -> str | None:
        """The first of these conditions that the message does not meet, or None."""
        if self.senders and message.sender not in self.senders:
            return self.not_among("senders", message.sender)
        if message.sender in self.not_senders:
            return self.is_among("not_senders", message.sender)
        return closed(message.time, self.hours, self.days) if self.hours or self.days else None

    def not_among(self, key: str, value: str) -> str:
        """That the value is none of those at this key, and which these are."""
        return f"{key}: {value} is not among {self._listed(key)}"

    def is_among(self, key: str, value: str) -> str:
        """That the value is one of those at this key."""
        return f"{key}: {value} is among them"

    def none_of(self, key: str) -> str:
        """That none of the words at this key is there."""
        return f"{key}: none of {self._listed(key)}"

    def _listed(self, key: str) -> str:
        """Put together once: it is told of nearly every message."""
        told = self._lists.get(key)
        if told is None:
            told = self._lists[key] = listed(getattr(self, key, None) or getattr(self, f"{key}_"))
        return told


def listed(values: Sequence[str]) -> str:
    """The first of several values, and how many more there are."""
    first = ", ".join(value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in values[:MOST])
    return first if len(values) <= MOST else f"{first} and {len(values) - MOST} more"


def _type(name: str) -> str:
    """A type that nobody knows may be the platform's next one; one that looks like a known one is a slip."""
    if name not in TYPES and (hint := did_you_mean(name, TYPES)):
        raise UnfitError(Text("不是消息类型", "is not a type of message"), hint)
    return name


MessageTypes = tuple[Annotated[str, AfterValidator(_type)], ...]
"""Types of messages, as the platform calls them."""


def _each_name_once(tables: Sequence[Any]) -> Sequence[Any]:
    refuse(_doubled([table.name for table in tables]))
    return tables


def _doubled(names: Sequence[str]) -> Iterator[UnfitError]:
    for index, name in enumerate(names):
        first = names.index(name)
        if first < index:
            yield UnfitError(TAKEN.filled(first=first), DIFFER, at=(index, "name"))


UniqueNames = AfterValidator(_each_name_once)
"""Refuses a name used twice in a list of tables: `rules: Annotated[tuple[Rule, ...], UniqueNames] = ()`."""
