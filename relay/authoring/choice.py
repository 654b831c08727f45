"""Which messages a handler wants: what it was registered with, and that with the settings at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from relay.authoring.filters import listed
from relay.authoring.handlers import Handler
from relay.authoring.matching import normalise
from relay.authoring.message import Message
from relay.authoring.patterns import Pattern
from relay.config import texts
from relay.config.complaints import together
from relay.config.problems import UnfitError, did_you_mean
from relay.language import Said, Text, joined
from relay.wire.content import TYPES

CHAT_TYPES = ("room", "private", "any")
NO_GROUPS: Mapping[str, str] = MappingProxyType({})

KEY = Text("{key}：{what}", "{key}: {what}")
NO_FILTER = Text("on_message 没有 {key} 这个条件", "on_message has no filter {key}", "unknown_key")
NO_TYPE = Text("没有消息类型 {name}", "there is no type of message {name}", "choice")
NO_CHAT_TYPE = Text("没有 {name} 这种会话", "there is no kind of chat {name}", "choice")
NOT_TEXTS = Text(
    "应为文本或文本列表，却是 {kind}", "expected a text or a list of texts, found {kind}", "type"
)
NOT_BOOLEAN = Text("应为 True 或 False，却是 {kind}", "expected True or False, found {kind}", "type")
ONE_OF = Text("可以写：{names}", "one of: {names}")

Resolve = Callable[[str], tuple[str, ...]]
"""A name of [chats] or a wxid → wxids; raises `ValueError` where it is neither."""

Names = str | Iterable[str]
Given = Names | Callable[[Any], Names]


@lru_cache(maxsize=1024)
def _among(values: frozenset[str]) -> str:
    return listed(sorted(values))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a message must be for a handler to get it; what is empty asks for nothing."""

    include_own: bool = False
    types: frozenset[str] = frozenset()
    chat_type: str = "any"
    chats: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    contains: tuple[str, ...] = ()
    regex: tuple[Pattern, ...] = ()

    def ask(self, message: Message) -> str | Mapping[str, str]:
        """The first condition that the message does not meet; or the groups of the pattern that fits."""
        if message.own and not self.include_own:
            return "own, and include_own is not set"
        if self.types and message.type not in self.types:
            return f"types: {message.type} is not among {_among(self.types)}"
        if self.chat_type not in ("any", message.chat_type):
            return f"chat_type: {message.chat_type}, not {self.chat_type}"
        if self.chats and message.chat not in self.chats:
            return f"chats: {message.chat} is not among {_among(self.chats)}"
        if self.senders and message.sender not in self.senders:
            return f"senders: {message.sender} is not among {_among(self.senders)}"
        return self._read(message) if self.contains or self.regex else NO_GROUPS

    def _read(self, message: Message) -> str | Mapping[str, str]:
        text = message.text
        if not text:
            return f"type {message.type} has no text to look into"
        if self.contains and not any(word in message.compared for word in self.contains):
            return f"contains: none of {listed(self.contains)}"
        if not self.regex:
            return NO_GROUPS
        found = (pattern.search(text) for pattern in self.regex)
        groups = next((groups for groups in found if groups is not None), None)
        return self._no_match() if groups is None else groups

    def _no_match(self) -> str:
        return f"regex: no match of {listed([each.text for each in self.regex])}"


@dataclass(frozen=True, slots=True)
class MessageHandler:
    """A handler of messages and the filters that it was registered with."""

    handler: Handler
    include_own: bool | Callable[[Any], bool]
    filters: Mapping[str, Given]

    @property
    def name(self) -> str:
        """What the function is called."""
        return self.handler.name

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return self.handler.function

    def check(self) -> None:
        """Raise `PluginError` for what is wrong whatever settings and [chats] are."""
        given = {key: given for key, given in self.filters.items() if not callable(given)}
        self._choice(given, False if callable(self.include_own) else self.include_own, None)

    def bound(self, settings: object, resolve: Resolve) -> Choice:
        """What it wants with these settings and chats; raises `PluginError`."""
        own = self.include_own(settings) if callable(self.include_own) else self.include_own
        given = {key: given(settings) if callable(given) else given for key, given in self.filters.items()}
        return self._choice(given, own, resolve)

    def _choice(self, given: Mapping[str, Any], own: object, resolve: Resolve | None) -> Choice:
        with self.handler.blaming():
            if not isinstance(own, bool):
                raise _at("include_own", UnfitError(NOT_BOOLEAN.filled(kind=type(own).__name__)))
            return Choice(own, **dict(_read_filters(given, resolve)))


def _read_filters(given: Mapping[str, Any], resolve: Resolve | None) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if key not in _READ:
            known = (*_READ, "include_own")
            raise UnfitError(NO_FILTER.filled(key=key), _near(key, known))
        try:
            yield key, _READ[key](texts_of(value), resolve)
        except ValueError as exc:
            raise _at(key, exc if isinstance(exc, UnfitError) else UnfitError(str(exc))) from exc


def _at(key: str, exc: UnfitError) -> UnfitError:
    return UnfitError(KEY.filled(key=key, what=exc.message), exc.hint)


def texts_of(given: object) -> tuple[str, ...]:
    """One text or several; raises `UnfitError` for what is neither."""
    several = (given,) if isinstance(given, str) else given
    listed = (
        tuple(several) if isinstance(several, Iterable) and not isinstance(several, bytes | Mapping) else None
    )
    if listed is None or not all(isinstance(each, str) for each in listed):
        strange = given if listed is None else next(each for each in listed if not isinstance(each, str))
        raise UnfitError(NOT_TEXTS.filled(kind=type(strange).__name__))
    return listed


def _types(names: tuple[str, ...], _: Resolve | None) -> frozenset[str]:
    return frozenset(one_of(names, TYPES, NO_TYPE))


def _chat_type(names: tuple[str, ...], _: Resolve | None) -> str:
    (only,) = one_of(names, CHAT_TYPES, NO_CHAT_TYPE) or ("any",)
    return only


def one_of(names: tuple[str, ...], known: tuple[str, ...], complaint: Text) -> tuple[str, ...]:
    """The names, all of which are known; raises `UnfitError` with the nearest one that is."""
    for name in names:
        if name not in known:
            raise UnfitError(complaint.filled(name=name), _near(name, known))
    return names


def _near(name: str, known: tuple[str, ...]) -> Said | None:
    """The nearest name that is known, and all of them."""
    listed = ONE_OF.filled(names=joined(known, "、", ", "))
    return together(filter(None, (did_you_mean(name, known), listed)))


def _chats(names: tuple[str, ...], resolve: Resolve | None) -> frozenset[str]:
    return frozenset(wxid for name in names for wxid in (resolve(name) if resolve else (name,)))


def _words(words: tuple[str, ...], _: Resolve | None) -> tuple[str, ...]:
    read = tuple(normalise(word) for word in words)
    if not all(word.strip() for word in read):
        raise UnfitError(texts.EMPTY, Text("否则每段文本都会命中", "it would be in every text"))
    return read


def _patterns(written: tuple[str, ...], _: Resolve | None) -> tuple[Pattern, ...]:
    if not all(written):
        raise UnfitError(texts.EMPTY, Text("否则每段文本都会命中", "it would match every text"))
    return tuple(Pattern(text) for text in written)


_READ: Mapping[str, Callable[[tuple[str, ...], Resolve | None], Any]] = {
    "types": _types,
    "chat_type": _chat_type,
    "chats": _chats,
    "senders": _chats,
    "contains": _words,
    "regex": _patterns,
}
