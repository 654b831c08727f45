"""How a table of bot.toml becomes a checked value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from relay.config import texts
from relay.config.chats import Chats
from relay.config.complaints import EXPECTED, Reading, found_at, place_of, problems_of
from relay.config.problems import Location, Substituted
from relay.errors import ConfigurationError, Problem
from relay.language import Text

T = TypeVar("T", bound=BaseModel)


def validate_settings(
    model: type[BaseModel], raw: Mapping[str, object], path: str, chats: Chats | None = None
) -> BaseModel:
    """A plugin's settings from its raw table; unknown keys are refused whatever the model says.

    `path` is where the table stands (`plugins.greeter`). Raises `ConfigurationError` with every problem.
    """
    settings, problems = read_table(model, raw, tuple(path.split(".")), chats or Chats())
    if problems:
        raise ConfigurationError(tuple(problems))
    return settings


def read_table(
    model: type[T], raw: Mapping[str, object], at: Location, chats: Chats
) -> tuple[T, list[Problem]]:
    """The table as a model; where it has problems, a model of those keys alone that have none."""
    data = deepcopy(dict(raw))
    while True:
        try:
            return _validate(model, data, chats), []
        except ValidationError as exc:
            errors = exc.errors(include_url=False)
            if not _coerce_all(data, errors):
                return _valid_part(model, data, chats), list(
                    problems_of(Reading(model, raw, data, at), errors)
                )


def _validate(model: type[T], data: Mapping[str, object], chats: Chats) -> T:
    """Strict as JSON is: a list may become a tuple, but `"5"` is no number and 1 is not true."""
    return model.model_validate_json(_json(data), strict=True, extra="forbid", context={"chats": chats})


def _json(data: object) -> str:
    return json.dumps(data, default=str)


def _valid_part(model: type[T], data: Mapping[str, object], chats: Chats) -> T:
    values = {}
    for name, field in model.model_fields.items():
        if name in data:
            typed: Any = Annotated[field.annotation, field]
            adapter: TypeAdapter[Any] = TypeAdapter(typed)
            try:
                values[name] = adapter.validate_json(_json(data[name]), strict=True, context={"chats": chats})
            except ValidationError:
                continue
    return model.model_construct(**values)


# From the environment everything arrives as text; the complaint about it says what was wanted instead.


def _coerce_all(data: dict[str, object], errors: Iterable[ErrorDetails]) -> bool:
    """Turn texts from the environment into the types asked for; whether any was turned."""
    return True in [_coerce(data, error) for error in errors]


def _coerce(data: dict[str, object], error: ErrorDetails) -> bool:
    at = place_of(data, error)
    text = found_at(data, at)
    wanted = EXPECTED.get(error["type"])
    if not isinstance(text, Substituted) or wanted is None:
        return False
    value = _turned(text.strip(), wanted)
    if value is None:
        return False
    parent: Any = data
    for part in at[:-1]:
        parent = parent[part]
    parent[at[-1]] = value
    return True


def _turned(text: str, wanted: Text) -> object:
    try:
        match wanted:
            case texts.WHOLE:
                return int(text)
            case texts.NUMBER:
                number = float(text)
                return number if math.isfinite(number) else None
            case texts.BOOLEAN:
                return {"true": True, "false": False}.get(text.lower())
            case texts.LIST:
                return [Substituted(item.strip()) for item in text.split(",") if item.strip()]
    except ValueError:
        return None
    return None
