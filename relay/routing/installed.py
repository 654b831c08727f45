"""Plugins that come with installed distributions: entry points of the group `relay.plugins`."""

from __future__ import annotations

import copy
import importlib
import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from relay.authoring.plugin import Plugin
from relay.errors import PluginError
from relay.routing.modules import placed

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "relay.plugins"


def installed() -> Mapping[str, tuple[EntryPoint, ...]]:
    """By name, the entry points of this environment; looked for once, as an upgrade needs a new process."""
    return _installed(tuple(sys.path))


@lru_cache(maxsize=4)
def _installed(_: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in sorted(entry_points(group=GROUP), key=told):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return MappingProxyType(found)


def told(entry: EntryPoint) -> str:
    """The distribution that an entry point comes from, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def file_of(entry: EntryPoint) -> Path:
    """The file of its module, as far as that shows without running anything; else where it should be."""
    parts, places, spec = entry.module.split("."), None, None
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), places)
        if spec is None:
            break
        places = spec.submodule_search_locations
    if spec is not None and spec.origin:
        return Path(spec.origin)
    base = Path(str(entry.dist.locate_file(""))) if entry.dist else Path()
    return base.joinpath(*parts).with_suffix(".py")


def imported(entry: EntryPoint, path: Path) -> object:
    """What the entry point stands for: the module's `plugin`, or what it names there.

    Every call gives a plugin of its own, as every load of a file does. Raises `PluginError`.
    """
    try:
        found: object = importlib.import_module(entry.module)
        for name in (entry.attr or "plugin").split("."):
            found = getattr(found, name, None)
    except BaseException as exc:  # a plugin's own code, which may also call exit()
        if isinstance(exc, KeyboardInterrupt) or (isinstance(exc, PluginError) and exc.file is not None):
            raise
        raise placed(exc, path) from exc
    return copy.copy(found) if isinstance(found, Plugin) else found
