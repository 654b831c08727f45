"""A bot.toml made of values: what a test gives as dicts and lists, as TOML spells it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """These tables as text; raises TypeError for what TOML has no word for."""
    return "\n".join(f"[{_key(name)}]\n{_lines(table)}" for name, table in tables.items())


def merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Both, table by table; where both say something, the other counts."""
    both = dict(one)
    for key, value in other.items():
        mine = both.get(key)
        nested = isinstance(mine, Mapping) and isinstance(value, Mapping)
        both[key] = merged(mine, value) if nested else value  # type: ignore[arg-type]
    return both


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items() if value is not None)


def _key(name: str) -> str:
    return _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case Mapping():
            inside = ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in value.items())
            return f"{{{inside}}}"
        case Sequence():
            return f"[{', '.join(_value(each) for each in value)}]"
    raise TypeError(f"bot.toml cannot say {type(value).__name__}")


def _text(text: str) -> str:
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
