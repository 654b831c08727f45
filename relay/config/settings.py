"""How a table of bot.toml becomes a checked value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from relay.config import texts
from relay.config.chats import Chats
from relay.config.complaints import (
    EXPECTED,
    Reading,
    found_at,
    known_keys,
    place_of,
    problems_of,
    unknown_key,
)
from relay.config.problems import Location, Substituted, UnfitError, key_path, nearest
from relay.errors import ConfigurationError, Problem
from relay.language import Text

T = TypeVar("T", bound=BaseModel)

QUOTED = re.compile(r"`([^`]+)`|\{(\w+)\}|\b(\w+) =")
"""What a complaint names: a key, a placeholder, or a key with the value that it should have."""


def validate_settings(
    model: type[BaseModel],
    raw: Mapping[str, object],
    path: str,
    chats: Chats | None = None,
    beside: Iterable[str] = (),
) -> BaseModel:
    """A plugin's settings from its raw table; unknown keys are refused whatever the model says.

    `path` is where the table stands (`plugins.greeter`), `beside` which keys the table may have that were
    taken out before. Raises `ConfigurationError` with every problem.
    """
    settings, problems = read_table(model, raw, tuple(path.split(".")), chats or Chats())
    if problems:
        known = (*known_keys(model, ()), *sorted(beside))
        mistyped = {key_path((*path.split("."), key)): key for key in raw if key not in known}
        raise ConfigurationError(
            tuple(
                replace(each, hint=unknown_key(mistyped[each.path], known)) if each.path in mistyped else each
                for each in problems
            )
        )
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
                reading = Reading(model, raw, data, at)
                problems = list(problems_of(reading, errors))
                known = {problem.path for problem in problems}
                left_out = problems_of(reading, _further(model, data, errors, chats))
                problems += [problem for problem in left_out if problem.path not in known]
                return _valid_part(model, data, chats), sorted(problems, key=_order(model, at))


def _order(model: type[BaseModel], at: Location) -> Callable[[Problem], tuple[int, int]]:
    """Sorts what was found later to the table of a list that it is about."""
    keys = known_keys(model, ())
    start = len(key_path(at)) + 1

    def place(problem: Problem) -> tuple[int, int]:
        found = re.match(r"([\w-]+)(?:\[(\d+)\])?", problem.path[start:])
        if found is None or found[1] not in keys:
            return len(keys), 0
        return keys.index(found[1]), int(found[2] or -1)

    return place


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


# Validators of whole tables and lists, which pydantic does not ask where a single key is wrong.


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A table with keys that are unknown, missing or wrong, and its sound ones."""

    model: type[BaseModel]
    raw: Mapping[str, object]
    bad: frozenset[str]

    @property
    def sound(self) -> dict[str, object]:
        """The keys that nothing is wrong with."""
        return {key: value for key, value in self.raw.items() if key not in self.bad}

    def follows(self, mistake: object) -> bool:
        """Whether a complaint may well be due to the bad keys: it names one of them, or what stands there."""
        if not self.bad:
            return False
        told = f"{mistake.message} {mistake.hint or ''}" if isinstance(mistake, UnfitError) else str(mistake)
        named = {next(filter(None, found)) for found in QUOTED.findall(told)}
        keys = [field.alias or name for name, field in self.model.model_fields.items()]
        meant = self.bad.union(near for key in self.bad if (near := nearest(key, keys)))
        values = " ".join(
            json.dumps(self.raw.get(key), default=str, ensure_ascii=False)
            for key in self.bad
            if key in self.raw
        )
        return not meant.isdisjoint(named) or any(name in values for name in named)


def _further(
    model: type[BaseModel],
    data: Mapping[str, object],
    errors: Sequence[ErrorDetails],
    chats: Chats,
) -> Iterator[ErrorDetails]:
    """The complaints of validators of tables and lists that were left out because of these errors."""
    yield from _tables(model, data, [_key_of(data, error) for error in errors], (), chats)


def _tables(
    model: type[BaseModel],
    raw: Mapping[str, object],
    places: Sequence[Location],
    at: Location,
    chats: Chats,
) -> Iterator[ErrorDetails]:
    below = _by_first(places)
    table = Spoilt(model, raw, frozenset(str(key) for key in below))
    if below:
        yield from _complaints(table, at, lambda: _validate(_without(model, table.bad), table.sound, chats))
    for name, field in model.model_fields.items():
        key = field.alias or name
        value, inside = raw.get(key), below.get(key, [])
        if not inside:
            continue
        annotation: Any = field.annotation
        inner = _item(annotation)
        if isinstance(value, Mapping) and _is_model(annotation):
            yield from _tables(annotation, value, inside, (*at, key), chats)
        elif inner is not None and isinstance(value, list) and all(isinstance(i, Mapping) for i in value):
            yield from _list(inner, field, value, _by_first(inside), (*at, key), chats)


def _list(
    model: type[BaseModel],
    field: FieldInfo,
    items: Sequence[Mapping[str, object]],
    places: Mapping[str | int, Sequence[Location]],
    at: Location,
    chats: Chats,
) -> Iterator[ErrorDetails]:
    for index, item in enumerate(items):
        if places.get(index):
            yield from _tables(model, item, places[index], (*at, index), chats)
    read: dict[int, BaseModel] = {}
    required = {f.alias or name for name, f in model.model_fields.items() if f.is_required()}
    for index, item in enumerate(items):
        bad = frozenset(str(place[0]) for place in places.get(index, ()) if place)
        sound: dict[str, Any] = Spoilt(model, item, bad).sound
        if required <= sound.keys():
            read[index] = model.model_construct(**sound)
    indexes = list(read)
    for check in (each.func for each in field.metadata if isinstance(each, AfterValidator)):
        ask: Any = partial(check, tuple(read.values()))
        for error in _complaints(None, (), ask):
            mistake = error.get("ctx", {}).get("error")
            if isinstance(mistake, UnfitError) and mistake.at and isinstance(mistake.at[0], int):
                place = (indexes[mistake.at[0]], *mistake.at[1:])
                moved = UnfitError(mistake.message, mistake.hint, at=place)
                yield _error(at, moved)


def _complaints(table: Spoilt | None, at: Location, ask: Callable[[], object]) -> Iterator[ErrorDetails]:
    """What a validator says about the whole; it may also stumble over what is not there."""
    try:
        ask()
    except ValidationError as exc:
        raised = [error.get("ctx", {}).get("error") for error in exc.errors() if not error["loc"]]
    except Exception:  # noqa: BLE001 -- somebody else's code, asked about half a table
        return
    else:
        return
    for mistake in filter(None, raised):
        if table is None or not table.follows(mistake):
            yield _error(at, mistake)


def _key_of(data: object, error: ErrorDetails) -> Location:
    """Where pydantic stopped; a validator of a whole table that complains about a key stands at the table."""
    bare = error.copy()
    bare.pop("ctx", None)
    return place_of(data, bare)


def _error(at: Location, mistake: object) -> ErrorDetails:
    return {"type": "value_error", "loc": at, "msg": str(mistake), "input": None, "ctx": {"error": mistake}}


@lru_cache(maxsize=64)
def _without(model: type[BaseModel], bad: frozenset[str]) -> type[BaseModel]:
    """The model with nothing required of its bad keys."""
    missing: dict[str, Any] = {
        name: (Any, FieldInfo(default=None, alias=field.alias))
        for name, field in model.model_fields.items()
        if field.is_required() and (field.alias or name) in bad
    }
    return create_model(model.__name__, __base__=model, **missing) if missing else model


def _by_first(places: Iterable[Location]) -> dict[str | int, list[Location]]:
    """Where the places go on, by what they begin with."""
    found: dict[str | int, list[Location]] = {}
    for place in places:
        if place:
            found.setdefault(place[0], []).append(place[1:])
    return found


def _item(annotation: object) -> type[BaseModel] | None:
    """The model that a list or tuple is made of."""
    if get_origin(annotation) not in (list, tuple):
        return None
    first: Any = get_args(annotation)[0]
    return first if _is_model(first) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


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
