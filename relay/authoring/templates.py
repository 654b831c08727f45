"""Texts with placeholders, and messages made of them: `{sender}` is filled in when a message is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, get_type_hints

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from relay.authoring.message import Message
from relay.authoring.names import Names
from relay.authoring.outgoing import (
    Outgoing,
    announcement,
    card,
    file,
    link,
    picture,
    program,
    text,
    video,
    voice,
)
from relay.config import texts
from relay.config.problems import Location, UnfitError, did_you_mean, mistaken, refuse
from relay.language import Said, Text, joined

PLACEHOLDERS = ("sender", "chat", "account", "text", "date", "time")
"""What every template knows; names are ids where no name is known, date and time are the message's."""

BUILDERS: Mapping[str, Callable[..., Outgoing]] = {
    build.__name__: build for build in (text, announcement, picture, link, file, voice, video, program, card)
}
WORDING = frozenset({"text", "title", "desc", "nickname", "corp_name"})
"""The fields that people read, where placeholders count; addresses and ids stay as they are written."""

NO_PLACEHOLDER = Text("没有占位符 {told}", "there is no placeholder {told}")
STRAY = Text("第 {at} 个字符是多余的花括号", "a stray brace at character {at}")
BRACES = Text("花括号本身写成 {{{{ 或 }}}}", "write {{{{ or }}}} for the brace itself")
NO_FIELD = Text("{type} 没有这个字段", "is not a field of a {type}")
NEEDS = Text("{type} 还需要 {fields}", "a {type} needs {fields}")

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_BREAK = re.compile("\r\n|[\n\r\t\v\f\x85\u2028\u2029]")
# Control characters, and what turns the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Template(str):
    """A text with placeholders in braces; `{{` and `}}` are braces. Raises `UnfitError` for a stray one."""

    KNOWN: ClassVar = PLACEHOLDERS

    pieces: tuple[tuple[str, bool], ...]  #: the words, and the placeholders' names (True)

    def __new__(cls, written: str = "") -> Self:
        made = super().__new__(cls, written)
        made.pieces = tuple(_pieces(written))
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders, in order."""
        return tuple(piece for piece, is_name in self.pieces if is_name)

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with these values in it, once: what looks like a placeholder in a value stays as it is."""
        return "".join(plain(values[piece]) if is_name else piece for piece, is_name in self.pieces)

    def unknown(self, groups: Iterable[str] = (), at: Location = ()) -> Iterator[UnfitError]:
        """The placeholders that are neither known to every template nor among the groups."""
        known = (*self.KNOWN, *groups)
        unknown = dict.fromkeys(name for name in self.names if name not in known)
        if unknown:
            told = " or ".join(f"{{{name}}}" for name in unknown)
            hint = did_you_mean(next(iter(unknown)), known) or _known_here(known)
            yield UnfitError(NO_PLACEHOLDER.filled(told=told), hint, at=at)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read)

    @classmethod
    def _read(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise mistaken(texts.TEXT, value)
        return cls(value)


def _pieces(written: str) -> Iterator[tuple[str, bool]]:
    end = 0
    for found in _PIECE.finditer(written):
        yield written[end : found.start()], False
        end = found.end()
        if found[0] in ("{{", "}}"):
            yield found[0][0], False
        elif found[1] is None or not found[1].isidentifier():
            raise UnfitError(STRAY.filled(at=found.start() + 1), BRACES.filled())
        else:
            yield found[1], True
    yield written[end:], False


def _known_here(names: Iterable[str]) -> Said:
    return texts.KNOWN_HERE.filled(names=", ".join(names))


def plain(value: str) -> str:
    """A value on one line: line breaks and tabs become a space; control characters are left out."""
    return value if value.isprintable() else _CONTROL.sub("", _BREAK.sub(" ", value))


def placeholders(message: Message, names: Names) -> dict[str, str]:
    """What the placeholders stand for in answers to this message."""
    return {
        "sender": names.of(message.sender),
        "chat": names.of(message.chat),
        "account": names.of(message.account),
        "text": message.text,
        "date": message.time.date().isoformat(),
        "time": f"{message.time.hour:02}:{message.time.minute:02}",
    }


@dataclass(frozen=True)
class OutgoingTemplate:
    """A message to send, in the platform's fields; those that people read may hold placeholders."""

    type: str
    fields: Mapping[str, Any]

    def fill(self, values: Mapping[str, str]) -> Outgoing:
        """The message with these values in it."""
        filled = {
            name: field.fill(values) if isinstance(field, Template) else field
            for name, field in self.fields.items()
        }
        return BUILDERS[self.type](**filled)

    def unknown(self, groups: Iterable[str] = (), at: Location = ()) -> Iterator[UnfitError]:
        """Every placeholder in it that there is not."""
        for name, field in self.fields.items():
            if isinstance(field, Template):
                yield from field.unknown(groups, at if self.type == "text" else (*at, name))


class Replies(tuple[OutgoingTemplate, ...]):
    """What a rule answers: `listed` tells a list of one from a single text."""

    listed: bool = False

    def unknown(self, groups: Iterable[str] = (), at: Location = ()) -> Iterator[UnfitError]:
        """Every placeholder in any of them that there is not; `at` is the key they stand at."""
        for index, each in enumerate(self):
            yield from each.unknown(groups, (*at, index) if self.listed else at)


class _AsReplies:
    """Tells pydantic how one text, or a list of texts and tables, is read."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        several = core_schema.list_schema(core_schema.no_info_plain_validator_function(_message))
        listed = core_schema.no_info_after_validator_function(_listed, several)
        return core_schema.no_info_wrap_validator_function(_one_or_several, listed)


def _one_or_several(value: object, listed: Callable[[object], Replies]) -> Replies:
    if isinstance(value, str):
        return Replies((_of_text(value),) if value else ())
    if isinstance(value, list | tuple):
        return listed(list(value))
    raise mistaken(Text("文本，或文本和表的列表", "text or a list of texts and tables"), value)


def _listed(messages: list[OutgoingTemplate]) -> Replies:
    replies = Replies(messages)
    replies.listed = True
    return replies


ReplyList = Annotated[Replies, _AsReplies()]
"""A text, or a list of texts and tables like `{type = "picture", url = "…"}`; texts may hold placeholders."""


def _of_text(words: str) -> OutgoingTemplate:
    return OutgoingTemplate("text", {"text": Template(words)})


def _message(value: object) -> OutgoingTemplate:
    if isinstance(value, str):
        if not value:
            raise UnfitError(texts.EMPTY)
        return _of_text(value)
    if not isinstance(value, Mapping):
        raise mistaken(Text("文本或表", "text or a table"), value)
    fields = {str(name): field for name, field in value.items() if name != "type"}
    type_ = _type(value.get("type"))
    refuse(_misfits(type_, fields))
    return OutgoingTemplate(
        type_, {name: Template(f) if name in WORDING else f for name, f in fields.items()}
    )


def _type(given: object) -> str:
    listed = _known_here(BUILDERS)
    if given is None:
        raise UnfitError(Text("必须写明 `type`", "needs a `type`"), listed)
    if not isinstance(given, str) or given not in BUILDERS:
        hint = did_you_mean(str(given), BUILDERS) or listed
        raise UnfitError(
            Text("不是能发送的消息类型", "is no type of message that can be sent"), hint, at=("type",)
        )
    return given


def _misfits(type_: str, fields: Mapping[str, object]) -> Iterator[UnfitError]:
    """What is wrong with a message's fields, as the builder of its type takes them."""
    wanted = inspect.signature(BUILDERS[type_]).parameters
    hints = get_type_hints(BUILDERS[type_])
    for name in fields.keys() - wanted.keys():
        hint = did_you_mean(name, wanted) or _known_here(wanted)
        yield UnfitError(NO_FIELD.filled(type=type_), hint, at=(name,))
    for name in wanted.keys() & fields.keys():
        yield from _misfit(name, fields[name], hints[name])
    missing = [name for name, each in wanted.items() if each.default is each.empty and name not in fields]
    if missing:
        fields_ = joined([f"`{name}`" for name in missing], "、", " and ")
        yield UnfitError(NEEDS.filled(type=type_, fields=fields_))


def _misfit(name: str, value: object, hint: Any) -> Iterator[UnfitError]:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    try:
        adapter.validate_python(value, strict=True)
    except ValueError:
        wrong = mistaken(texts.WHOLE if "int" in str(hint) else texts.TEXT, value)
        yield UnfitError(wrong.message, at=(name,))
        return
    if name in WORDING and isinstance(value, str):
        try:
            Template(value)
        except UnfitError as exc:
            yield UnfitError(exc.message, exc.hint, at=(name,))
