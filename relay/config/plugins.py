"""What bot.toml says about plugins that only shows once their files are known."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping

from pydantic import BaseModel

from relay.config import texts
from relay.config.complaints import MISSING, found_at, together
from relay.config.configuration import Plugins
from relay.config.problems import Location, did_you_mean, key_path, shown
from relay.errors import Problem
from relay.language import Said, Text, finished


def folder_problems(plugins: Plugins) -> Iterator[Problem]:
    """What keeps the folder of plugins from being looked into; that there is none is no harm."""
    reason = None
    if plugins.held is None and plugins.folder.exists():
        try:
            next(plugins.folder.iterdir(), None)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
    if reason is not None:
        said = texts.NO_FOLDER.filled(reason=reason)
        yield Problem(
            "plugins.folder", said, shown(str(plugins.folder), "plugins.folder"), texts.NO_FOLDER_HINT
        )


def unknown_names(plugins: Plugins, known: Mapping[str, str]) -> Iterator[Problem]:
    """Names in `plugins.order` and tables `[plugins.NAME]` of which there is no plugin.

    `known` are all plugins, each with where it comes from.
    """
    for index, name in enumerate(plugins.order):
        if name not in known:
            yield _unknown(f"plugins.order[{index}]", name, texts.NO_PLUGIN_NAME_HINT, plugins, known)
    shipped_idle = {name for name in known if known[name] == "shipped" and name not in plugins.order}
    for name in plugins.settings:
        if name in plugins.disabled or (name in known and name not in shipped_idle):
            continue
        path = key_path(("plugins", name))
        if name in shipped_idle:
            hint = texts.NOT_IN_ORDER_HINT.filled(name=name)
            yield Problem(path, texts.NOT_IN_ORDER, hint=hint)
        else:
            yield _unknown(path, name, texts.NO_PLUGIN_TABLE_HINT, plugins, known)


def unknown_disabled(plugins: Plugins, known: Collection[str]) -> Iterator[Problem]:
    """Names in `plugins.disabled` of which there is no plugin: no harm, but perhaps not what was meant."""
    for index, name in enumerate(plugins.disabled):
        if name not in known:
            yield _unknown(f"plugins.disabled[{index}]", name, texts.NO_PLUGIN_NAME_HINT, plugins, known)


def _unknown(path: str, name: str, hint: Text, plugins: Plugins, known: Iterable[str]) -> Problem:
    near = did_you_mean(name, known)
    what_to_do = hint.filled(name=name, folder=plugins.folder.name)
    value = shown(name, path) if path.endswith("]") else None
    return Problem(path, texts.NO_PLUGIN, value, near or together([what_to_do]))


def warnings_of(settings: BaseModel, raw: Mapping[str, object], path: str) -> list[Problem]:
    """What the models that settings are made of have to say in their `warnings()`, each at its place.

    Such a method takes nothing and yields pairs: a key of its own table, and a `Text` or string; the key ""
    means the table as a whole.
    """
    at = tuple(path.split("."))
    return [
        _warning(raw, at, (*place, *([key] if key else [])), words)
        for place, model in models_in(settings, ())
        if inspect.isfunction(warn := getattr(type(model), "warnings", None))
        for key, words in warn(model)
    ]


def _warning(raw: Mapping[str, object], at: Location, place: Location, words: object) -> Problem:
    path, value = key_path((*at, *place)), found_at(raw, place)
    quoted = None if value is MISSING or isinstance(value, dict) else shown(value, path)
    message = finished(words if isinstance(words, Text | Said) else str(words))
    return Problem(path, message._replace(code=message.code or "unwise"), quoted)


def models_in(value: object, place: Location = ()) -> Iterator[tuple[Location, BaseModel]]:
    """Every model in this value, with where it stands in the table, as the file calls it."""
    if isinstance(value, BaseModel):
        yield place, value
        for name, field in type(value).model_fields.items():
            yield from models_in(getattr(value, name), (*place, field.alias or name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from models_in(item, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from models_in(item, (*place, index))
