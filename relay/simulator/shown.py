"""How a message of any type reads on the page: a handful of plain strings, whatever its content is."""

from __future__ import annotations

import json
from typing import TypedDict

MAX_CHARS = 4000
MAX_LINES = 8


class Shown(TypedDict, total=False):
    """What the page draws; everything is text and is inserted as text."""

    text: str
    title: str
    desc: str
    url: str
    image: str
    lines: list[str]


def shown(msg_type: str, content: bytes) -> Shown:
    """Give what there is to see; what cannot be read is shown as it came."""
    value = _read(content)
    if isinstance(value, str):
        return {"text": _short(value)}
    if not isinstance(value, dict):
        return {"text": _short(content.decode("utf-8", "replace"))}
    return _by_type(msg_type, value) or {"text": _short(content.decode("utf-8", "replace"))}


def _by_type(msg_type: str, value: dict[str, object]) -> Shown:
    if msg_type in ("text", "announcement", "system", "imgtext"):
        return _texts(value)
    if msg_type == "revoke":
        return {"text": ""}
    if msg_type == "merge":
        return _merge(value)
    if msg_type == "card":
        return _fields(value, title="nickname", desc="corp_name", url="wxid")
    if msg_type == "location":
        return _fields(value, title="title", desc="address", url="url")
    if msg_type == "voice":
        return _fields(value, title="org_content", desc="duration", url="url")
    if msg_type in ("picture", "emotionpic"):
        return _fields(value, image="url", url="url")
    return _fields(value, title="title", desc="desc", url="url", image="cover")


def _texts(value: dict[str, object]) -> Shown:
    items = value.get("items")
    if isinstance(items, list):
        texts = [
            item["text"] for item in items if isinstance(item, dict) and isinstance(item.get("text"), str)
        ]
        return {"text": _short("".join(texts))} if texts else {}
    return _fields(value, text="text") or _fields(value, text="title")


def _merge(value: dict[str, object]) -> Shown:
    items = value.get("items")
    found = _fields(value, title="title")
    if isinstance(items, list):
        found["lines"] = [_line(item) for item in items[:MAX_LINES]]
    return found


def _line(item: object) -> str:
    if not isinstance(item, dict):
        return _short(str(item), 200)
    names = (item.get("nickname") or item.get("name"), item.get("text") or item.get("title"))
    return _short(": ".join(str(name) for name in names if name), 200)


def _fields(value: dict[str, object], **names: str) -> Shown:
    found: Shown = {}
    for field, name in names.items():
        inner = value.get(name)
        if isinstance(inner, str | int | float) and str(inner):
            found[field] = _short(str(inner))  # type: ignore[literal-required] # the names above are its keys
    return found


def _read(content: bytes) -> object:
    try:
        value: object = json.loads(content.decode("utf-8", "replace"))
        if isinstance(value, str) and value[:1] == "{":
            value = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return value


def _short(text: str, limit: int = MAX_CHARS) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
