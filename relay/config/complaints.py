"""What pydantic complains about, said in the words of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from relay.config.problems import (
    MASK,
    Location,
    Substituted,
    UnfitError,
    did_you_mean,
    is_secret,
    key_path,
    kind,
    mask,
    shown,
    substituted,
)
from relay.config.values import Measure
from relay.errors import Problem

MISSING = object()

EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
"""Which pydantic complaints mean a wrong type, and what they would rather have had."""

WORDED = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "missing": "is required",
    "extra_forbidden": "is not a known key",
}


# A complaint's location names union members beside keys; these stand for no place in the file.


def place_of(data: object, error: ErrorDetails) -> Location:
    """The complaint's location with nothing in it but keys and indexes of the file."""
    place: list[str | int] = []
    raised = error.get("ctx", {}).get("error")
    for part in (*error["loc"], *(raised.at if isinstance(raised, UnfitError) else ())):
        below = _below(data, part)
        if below is not MISSING:
            data = below
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue
        place.append(part)
    return tuple(place)


def found_at(data: object, at: Location) -> object:
    """What stands at this place; a text from the environment stands for all that was split from it."""
    for part in at:
        if isinstance(data, Substituted):
            return data
        data = _below(data, part)
    return data


def _below(data: object, part: str | int) -> object:
    if isinstance(data, Mapping):
        return data.get(part, MISSING)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return MISSING


@dataclass(frozen=True, slots=True)
class Reading:
    """A table that did not pass: as written, with its texts turned into types, and where it stands."""

    model: type[BaseModel]
    raw: Mapping[str, object]
    data: Mapping[str, object]
    at: Location


def problems_of(reading: Reading, errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
    """One problem for each place; a union's complaints about a whole yield to those about its parts."""
    placed: dict[Location, list[ErrorDetails]] = {}
    for error in errors:
        placed.setdefault(place_of(reading.data, error), []).append(error)
    for place, complaints in placed.items():
        if not any(other != place and other[: len(place)] == place for other in placed):
            yield _problem(reading, place, complaints)


def _problem(reading: Reading, place: Location, errors: list[ErrorDetails]) -> Problem:
    path = key_path((*reading.at, *place))
    value = found_at(reading.raw, place)
    field = field_at(reading.model, place)
    secret = is_secret(path) or (field is not None and SecretStr in set(_types_in(field.annotation)))
    unsafe = [*substituted(value), *([str(value)] if secret and not all(map(_ours, errors)) else [])]
    hint = "; ".join(_hints(reading.model, place, field, errors))
    told = None if value is MISSING else MASK if secret else shown(value, path)
    return Problem(path, mask(_message(errors, value), unsafe), told, mask(hint, unsafe) or None)


def _hints(
    model: type[BaseModel], place: Location, field: FieldInfo | None, errors: list[ErrorDetails]
) -> Iterator[str]:
    if errors[0]["type"] == "extra_forbidden":
        yield unknown_key(str(place[-1]), known_keys(model, place[:-1]))
    yield from (hint for error in errors if (hint := _mistake(error).hint))
    if field is None:
        return
    if errors[0]["type"] == "missing" and field.examples:
        yield f'add {place[-1]} = "{field.examples[0]}"'
    if not field.is_required() and field.default is not None and not field.default_factory:
        yield f"default: {written(field.default)}"


def _ours(error: ErrorDetails) -> bool:
    """Whether the words are ours, which never quote the value."""
    return error["type"] in WORDED or isinstance(error.get("ctx", {}).get("error"), UnfitError)


def _message(errors: list[ErrorDetails], value: object) -> str:
    wanted = list(dict.fromkeys(EXPECTED[e["type"]] for e in errors if e["type"] in EXPECTED))
    others = list(dict.fromkeys(_worded(e) for e in errors if e["type"] not in EXPECTED))
    if wanted and not others:
        return f"expected {' or '.join(wanted)}, found {kind(value)}"
    return ", or ".join(others)


def _worded(error: ErrorDetails) -> str:
    if error["type"] in WORDED:
        return WORDED[error["type"]].format_map(error.get("ctx", {}))
    return _mistake(error).message


def _mistake(error: ErrorDetails) -> UnfitError:
    """The complaint of a validator that was written here or by a plugin's author, or else pydantic's own."""
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, UnfitError):
        return raised
    return UnfitError(str(raised) if raised else error["msg"][:1].lower() + error["msg"][1:])


def written(value: object) -> str:
    """A default as one would write it into bot.toml."""
    if isinstance(value, SecretStr):
        return '""'
    return shown(str(value) if isinstance(value, Measure) else value, "")


def unknown_key(key: str, known: Iterable[str]) -> str:
    """A hint for a key that nobody knows: the nearest one, or else all of them."""
    names = list(known)
    return did_you_mean(key, names) or "known here: " + ", ".join(names)


def known_keys(model: type[BaseModel], at: Location) -> list[str]:
    """The keys that may stand in the table at this place."""
    models: list[type[BaseModel]] = [model]
    for part in at:
        models = [inner for m in models for inner in _models_below(m, part)] or models
    return list(dict.fromkeys(f.alias or name for m in models for name, f in m.model_fields.items()))


def _models_below(model: type[BaseModel], part: str | int) -> list[type[BaseModel]]:
    field = _named(model, part)
    inner = _types_in(field.annotation) if field else ()
    return [found for found in inner if isinstance(found, type) and issubclass(found, BaseModel)]


def _named(model: type[BaseModel], part: str | int) -> FieldInfo | None:
    matching = (f for name, f in model.model_fields.items() if part in (name, f.alias))
    return next(matching, None)


def field_at(model: type[BaseModel], place: Location) -> FieldInfo | None:
    """The field at this place, where it is a field and not an entry within one."""
    models: list[type[BaseModel]] = [model]
    for part in place[:-1]:
        models = [inner for m in models for inner in _models_below(m, part)] or models
    named = [_named(m, place[-1]) for m in models] if place else []
    return next((field for field in named if field is not None), None)


def _types_in(annotation: object) -> Iterator[object]:
    """Every plain type that an annotation is made of."""
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _types_in(argument)
