"""Rules and routes as they stand in bot.toml."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from bots import EAST, NORTH, WEST, Row, make_bot

from relay.errors import ConfigurationError

CHATS = f'[chats]\neast = "{EAST}"\nothers = ["{WEST}", "{NORTH}"]\n'


def rules(*tables: Row) -> str:
    """Rules of keyword_reply, named `rule 0`, `rule 1`… unless they say otherwise."""
    return CHATS + "\n".join(_listed("keyword_reply.rules", "rule", tables))


def routes(*tables: Row) -> str:
    """Routes of group_mirror, named in the same way."""
    return CHATS + "\n".join(_listed("group_mirror.routes", "route", tables))


def _listed(key: str, word: str, tables: tuple[Row, ...]) -> Iterator[str]:
    for number, table in enumerate(tables):
        yield f"[[plugins.{key}]]"
        for name, value in {"name": f"{word} {number}", **table}.items():
            yield f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def complaints(toml: str) -> list[str]:
    """What is said about this configuration, line by line, without the path of the list."""
    with pytest.raises(ConfigurationError) as caught:
        make_bot(toml)
    return [line.partition(".")[2].partition(".")[2] for line in str(caught.value).split("\n")]
