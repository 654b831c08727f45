"""What pydantic complains about, said in the words of the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from relay.config import texts
from relay.config.problems import (
    MASK,
    Location,
    Substituted,
    UnfitError,
    did_you_mean,
    is_secret,
    key_path,
    kind,
    masked,
    shown,
    substituted,
)
from relay.config.values import Measure
from relay.errors import Problem
from relay.language import Said, Words, joined

MISSING = object()

EXPECTED = {
    **dict.fromkeys(("string_type", "bytes_type", "url_type", "uuid_type"), texts.TEXT),
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing_size"), texts.WHOLE),
    **dict.fromkeys(("float_type", "decimal_type", "fraction_type", "complex_type"), texts.NUMBER),
    "bool_type": texts.BOOLEAN,
    **dict.fromkeys(
        ("list_type", "tuple_type", "set_type", "frozen_set_type", "deque_type", "iterable_type"), texts.LIST
    ),
    **dict.fromkeys(
        ("dict_type", "frozen_dict_type", "ordered_dict_type", "counter_type", "mapping_type"), texts.TABLE
    ),
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dataclass_type", "dataclass_exact_type"), texts.TABLE
    ),
    **dict.fromkeys(("named_tuple_type", "arguments_type"), texts.TABLE),
    "none_required": texts.NOTHING,
    "date_type": texts.DATE,
    "time_type": texts.TIME,
    "datetime_type": texts.DATETIME,
    "time_delta_type": texts.LENGTH,
}
"""Which pydantic complaints mean a wrong type, and what they would rather have had."""

NOUNS = {
    **dict.fromkeys(("int_parsing", "decimal_whole_digits"), texts.WHOLE),
    **dict.fromkeys(
        ("float_parsing", "decimal_parsing", "fraction_parsing", "complex_str_parsing"), texts.NUMBER
    ),
    "bool_parsing": texts.BOOLEAN,
    **dict.fromkeys(("date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), texts.DATE),
    "time_parsing": texts.TIME,
    **dict.fromkeys(
        ("datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing"), texts.DATETIME
    ),
    "time_delta_parsing": texts.LENGTH,
    **dict.fromkeys(("url_parsing", "url_syntax_violation", "url_too_long"), texts.ADDRESS),
    **dict.fromkeys(("uuid_parsing", "uuid_version"), texts.UUID),
}
"""Which pydantic complaints mean a text that cannot be read as what it should be."""

WORDED = {
    "greater_than_equal": texts.AT_LEAST,
    "less_than_equal": texts.AT_MOST,
    "greater_than": texts.MORE_THAN,
    "less_than": texts.LESS_THAN,
    "multiple_of": texts.MULTIPLE,
    "finite_number": texts.FINITE,
    "literal_error": texts.ONE_OF,
    "enum": texts.ONE_OF,
    "union_tag_invalid": texts.ONE_TAG,
    "union_tag_not_found": texts.NO_TAG,
    "string_too_short": texts.LONG_TEXT,
    "string_too_long": texts.SHORT_TEXT,
    "bytes_too_short": texts.LONG_TEXT,
    "bytes_too_long": texts.SHORT_TEXT,
    "too_short": texts.LONG_LIST,
    "too_long": texts.SHORT_LIST,
    "string_pattern_mismatch": texts.PATTERN,
    "string_not_ascii": texts.ASCII,
    **dict.fromkeys(("date_past", "datetime_past"), texts.PAST),
    **dict.fromkeys(("date_future", "datetime_future"), texts.FUTURE),
    **dict.fromkeys(("timezone_aware", "timezone_offset"), texts.ZONED),
    "timezone_naive": texts.UNZONED,
    "url_scheme": texts.SCHEMES,
    **dict.fromkeys(("decimal_max_digits", "decimal_max_places"), texts.DIGITS),
    **dict.fromkeys(("missing", "missing_argument", "missing_keyword_only_argument"), texts.REQUIRED),
    **dict.fromkeys(("extra_forbidden", "unexpected_keyword_argument"), texts.UNKNOWN_KEY),
}
"""The other pydantic complaints that a file can give rise to; for any that is left, `texts.UNFIT`."""

AUTHORS = frozenset({"value_error", "assertion_error"})
"""What somebody's own validator raised; its words are passed on."""


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
    wholes = {place[:length] for place in placed for length in range(len(place))}
    for place, complaints in placed.items():
        if place not in wholes:
            yield _problem(reading, place, complaints)


def _problem(reading: Reading, place: Location, errors: list[ErrorDetails]) -> Problem:
    path = key_path((*reading.at, *place))
    value = found_at(reading.raw, place)
    field = field_at(reading.model, place)
    secret = is_secret(path) or (field is not None and SecretStr in set(_types_in(field.annotation)))
    unsafe = [*substituted(value), *([str(value)] if secret and not all(map(_ours, errors)) else [])]
    hints = [masked(hint, unsafe) for hint in _hints(reading.model, place, field, value, errors)]
    told = None if value is MISSING else MASK if secret else shown(value, path)
    return Problem(path, masked(_message(errors, value), unsafe), told, together(hints))


def together(hints: Iterable[Words]) -> Said | None:
    """These hints as one, if there are any."""
    every = list(hints)
    whole = joined(every, "；", "; ")
    return Said(whole.zh.replace("？；", "？"), whole.en.replace("?;", "?")) if every else None


def _hints(
    model: type[BaseModel],
    place: Location,
    field: FieldInfo | None,
    value: object,
    errors: list[ErrorDetails],
) -> Iterator[Words]:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        yield unknown_key(str(place[-1]), known_keys(model, place[:-1]))
    yield from (hint for error in errors if (hint := _mistake(error).hint))
    if first["type"] in ("literal_error", "enum") and isinstance(value, str):
        yield from filter(None, [did_you_mean(value, _choices(first.get("ctx", {})["expected"]))])
    if field is None:
        return
    if first["type"] == "missing" and field.examples:
        yield texts.ADD.filled(key=place[-1], value=f'"{field.examples[0]}"')
    if not field.is_required() and field.default is not None and not field.default_factory:
        yield texts.DEFAULT.filled(value=written(field.default))


def _ours(error: ErrorDetails) -> bool:
    """Whether the words are ours, which never quote the value."""
    return error["type"] not in AUTHORS or isinstance(error.get("ctx", {}).get("error"), UnfitError)


def _message(errors: list[ErrorDetails], value: object) -> Said:
    wanted = list(dict.fromkeys(EXPECTED[e["type"]] for e in errors if e["type"] in EXPECTED))
    others = list(dict.fromkeys(_worded(e) for e in errors if e["type"] not in EXPECTED))
    if wanted and not others:
        return texts.EXPECTED.filled(wanted=joined(wanted, "或", " or "), found=kind(value))
    return joined(others, "，或", ", or ")._replace(code=others[0].code)


def _worded(error: ErrorDetails) -> Said:
    if error["type"] in WORDED:
        return WORDED[error["type"]].filled(**_in_both(error.get("ctx", {})))
    if error["type"] in NOUNS:
        return texts.NOT_A.filled(wanted=NOUNS[error["type"]])
    return _mistake(error).message


def _in_both(context: Mapping[str, object]) -> dict[str, object]:
    """What pydantic fills in; its `'a', 'b' or 'c'` is English, and quotes as Python does."""
    return {key: _listed(str(value)) if "expected" in key else value for key, value in context.items()}


def _choices(expected: str) -> list[str]:
    return [found[0] or found[1] for found in re.findall(r"'([^']*)'|(?<![\w'])([\w.-]+)(?![\w'])", expected)]


def _listed(expected: str) -> Said:
    """The same choices as a TOML file has them: `"a", "b" or "c"`."""
    *others, last = re.split(r", | or ", expected)
    quoted = [re.sub(r"^'(.*)'$", r'"\1"', choice) for choice in (*others, last)]
    zh, en = "、".join(quoted[:-1]), ", ".join(quoted[:-1])
    return Said(f"{zh} 或 {quoted[-1]}", f"{en} or {quoted[-1]}") if others else Said(quoted[0], quoted[0])


def _mistake(error: ErrorDetails) -> UnfitError:
    """The complaint of a validator that was written here or by a plugin's author; never pydantic's own."""
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, UnfitError):
        return raised
    return UnfitError(str(raised) if raised and str(raised) else texts.UNFIT)


def written(value: object) -> str:
    """A default as one would write it into bot.toml."""
    if isinstance(value, SecretStr):
        return '""'
    return shown(str(value) if isinstance(value, Measure) else value, "")


def unknown_key(key: str, known: Iterable[str]) -> Said:
    """A hint for a key that nobody knows: the nearest one, or else all of them."""
    names = list(known)
    return did_you_mean(key, names) or texts.KNOWN_HERE.filled(names=", ".join(names))


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
