"""Rules and routes to be linted, read as bot.toml is."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from pydantic import BaseModel

from relay import Context, Message, Plugin
from relay.config import validate_settings
from relay.config.chats import Chats
from relay.errors import Problem
from relay.linting.linter import lint
from relay.linting.surroundings import Surroundings
from relay.linting.table import Table, tables_of
from relay.routing import loader

EAST, WEST, NORTH = "R:1", "R:2", "R:3"
CHATS = Chats({"east": (EAST,), "west": (WEST,), "north": (NORTH,), "all": (EAST, WEST, NORTH)})
NAMES = {EAST: "east", WEST: "west", NORTH: "north"}
Row = dict[str, Any]


@cache
def shipped(name: str) -> Plugin:
    """A plugin that comes with relay."""
    return loader.load(loader.Found(name, loader.shipped_folder() / f"{name}.py", "shipped"))


def read(plugin: str, key: str, rows: Sequence[Row]) -> BaseModel:
    """The settings of a plugin with this list of tables, named 0, 1… where they have no name."""
    listed = [{"name": str(number), **row} for number, row in enumerate(rows)]
    return validate_settings(shipped(plugin).settings, {key: listed}, f"plugins.{plugin}", CHATS)


def rules(*rows: Row) -> list[Table]:
    """Rules of keyword_reply; they answer `x` where they say nothing else."""
    answering = [{"reply": "x", **row} for row in rows]
    return list(tables_of("keyword_reply", read("keyword_reply", "rules", answering)))


def routes(*rows: Row) -> list[Table]:
    """Routes of group_mirror."""
    return list(tables_of("group_mirror", read("group_mirror", "routes", rows)))


def found(*tables: Table, **around: Any) -> list[Problem]:  # noqa: ANN401, RUF100 - fields of Surroundings
    """What the linter says of them."""
    return lint(tables, Surroundings(names=NAMES, **around))


def told(*tables: Table, **around: Any) -> list[tuple[str, str]]:  # noqa: ANN401, RUF100 - as above
    """The same by path, without the plugin, and code."""
    return [(each.path.split(".", 2)[2], each.code) for each in found(*tables, **around)]


def message(text: str, **keys: Any) -> Message:  # noqa: ANN401, RUF100 - fields of Message
    """A message as a plugin gets it."""
    kind = keys.pop("type", "text")
    content = {"items": [{"type": "text", "text": text}]} if text else {}
    raw = json.dumps({"msg_type": kind, "content": content}).encode()
    values: dict[str, Any] = {
        **dict.fromkeys(("id", "svrid", "account"), "1"),
        "chat": EAST,
        "chat_type": "room",
        "sender": "ann",
        "time": dt.datetime(2026, 11, 16, 12, tzinfo=dt.UTC),
        **keys,
    }
    return Message(**values, type=kind, raw=raw)


def decided(plugin: str, settings: object, said: Message, **more: object) -> list[Any]:
    """What the plugin's own handler decides; `more` is what else it finds in its context."""
    names = SimpleNamespace(of=lambda wxid: wxid)
    ctx = SimpleNamespace(settings=settings, names=names, note=lambda *_: None, detailed=False, **more)
    (handler,) = shipped(plugin).handlers
    work = handler.function(said, cast("Context", ctx))
    try:
        work.send(None)  # nothing in it waits
    except StopIteration as end:
        return list(end.value)
    raise AssertionError


def named(decisions: Sequence[Any]) -> set[str]:
    """The rules or routes by which it was decided."""
    return {one.rule for each in decisions for one in getattr(each, "decisions", (each,))}
