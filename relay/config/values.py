"""The types of values that bot.toml and the plugins' settings are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from relay.config import texts
from relay.config.chats import Chats
from relay.config.problems import UnfitError, mistaken
from relay.language import Text


class Measure(int):
    """A number that is written with its unit and remembers how it was written."""

    UNITS: ClassVar[Mapping[str, int]]
    NOUN: ClassVar[Text]
    EXAMPLES: ClassVar[Text]
    LIMIT: ClassVar[str]
    ZERO: ClassVar[str]

    written: str

    def __new__(cls, value: int | str) -> Self:
        amount = cls._parse(value) if isinstance(value, str) else int(value)
        made = super().__new__(cls, amount)
        made.written = value if isinstance(value, str) else cls._write(amount)
        return made

    @classmethod
    def _parse(cls, text: str) -> int:
        found = re.fullmatch(r"([0-9]{1,15})([A-Za-z]+)", text)
        if found is None or found[2] not in cls.UNITS:
            raise UnfitError(texts.NOT_A.filled(wanted=cls.NOUN), texts.WRITE.filled(example=cls.EXAMPLES))
        amount = int(found[1]) * cls.UNITS[found[2]]
        if text != cls.LIMIT and amount > cls._parse(cls.LIMIT):
            raise UnfitError(texts.LIMIT.filled(limit=cls.LIMIT))
        return amount

    @classmethod
    def _write(cls, amount: int) -> str:
        if not amount:
            return cls.ZERO
        unit = next(unit for unit, size in reversed(list(cls.UNITS.items())) if amount % size == 0)
        return f"{amount // cls.UNITS[unit]}{unit}"

    def __str__(self) -> str:
        return self.written

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.written!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise mistaken(cls.NOUN, value, texts.WRITE.filled(example=cls.EXAMPLES))
        return cls(value)


class Duration(Measure):
    """A length of time in milliseconds, written `"500ms"`, `"5s"`, `"10m"`, `"2h"` or `"30d"`."""

    UNITS: ClassVar = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    NOUN = texts.DURATION
    EXAMPLES = texts.DURATIONS
    LIMIT = "3650d"
    ZERO = "0s"

    @property
    def seconds(self) -> float:
        """The same length in seconds, as asyncio and aiohttp want it."""
        return self / 1_000


class Size(Measure):
    """An amount of data in bytes, written `"512B"`, `"64KB"`, `"8MB"` or `"1GB"`; a KB is 1,024 bytes."""

    UNITS: ClassVar = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
    NOUN = texts.SIZE
    EXAMPLES = texts.SIZES
    LIMIT = "1024GB"
    ZERO = "0B"


class _Resolved:
    """Tells pydantic how a list of chats is read: names are looked up in the validation context's `chats`."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        chat = core_schema.with_info_plain_validator_function(_resolve)
        listed = core_schema.no_info_before_validator_function(_as_list, core_schema.list_schema(chat))
        return core_schema.no_info_after_validator_function(_flat, listed)


def _as_list(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise mistaken(texts.CHATS, value)
    return [value] if isinstance(value, str) else value


def _resolve(value: object, info: ValidationInfo[Any]) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise mistaken(texts.CHAT, value)
    chats = (info.context or {}).get("chats", Chats())
    resolved: tuple[str, ...] = chats.resolve(value)
    return resolved


def _flat(groups: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(wxid for group in groups for wxid in group))


ChatList = Annotated[tuple[str, ...], _Resolved()]
"""One chat or a list of them, by name or wxid; read, it is the wxids, flattened and each once."""
