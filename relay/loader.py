"""Find plugin files, load them beside each other, and hold each to the contract."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pydantic import BaseModel

from relay.errors import PluginError, RelayError
from relay.plugin import Plugin

_serial = itertools.count(1)  # unique module names: two bots, or two versions, never share one

RESERVED = frozenset({"folder", "order", "disabled", "timeout", "memory_limit"})


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin's file, before anything of it has run."""

    name: str
    path: Path
    source: str  #: "folder" or "shipped"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that is ready to run, with its settings read and checked."""

    name: str
    plugin: Plugin
    settings: BaseModel
    timeout: int  #: milliseconds for one handler and one message
    source: str
    path: Path


def shipped_folder() -> Path:
    """Where the plugins that come with relay live: inside the package, or beside it in a checkout."""
    inside = Path(__file__).parent / "shipped"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "plugins"


def find(folder: Path, order: Iterable[str], disabled: Iterable[str]) -> list[Found]:
    """The plugins to run: those named in `order`, then the folder's others by name.

    A file in the folder overrides a shipped plugin of its name; a shipped one runs where `order` names it.
    Raises `PluginError` for a name in `order` that no file has.
    """
    here = _scan(folder, "folder")
    shipped = _scan(shipped_folder(), "shipped")
    off, named = set(disabled), list(order)
    missing = [name for name in named if name not in here and name not in shipped]
    if missing:
        raise PluginError(f"plugins.order names {', '.join(missing)}, and there is no such file in {folder}")
    others = sorted(name for name in here if name not in named)
    return [here.get(name) or shipped[name] for name in named + others if name not in off]


def names(folder: Path) -> set[str]:
    """Every plugin that has a file in this folder or came with relay."""
    return {*_scan(folder, "folder"), *_scan(shipped_folder(), "shipped")}


def _scan(folder: Path, source: str) -> dict[str, Found]:
    if not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    wanted = [path for path in files if not path.stem.startswith(("_", "test_"))]
    return {
        path.stem: Found(path.stem, path / "__init__.py" if path.is_dir() else path, source)
        for path in wanted
    }


def load(found: Found) -> Plugin:
    """Run the file's own bytes under a name of their own and return its `plugin`.

    Raises `PluginError` with file and line for whatever the file does wrong.
    """
    if found.name in RESERVED:
        raise PluginError(f"a plugin cannot be called {found.name}: bot.toml uses that word", str(found.path))
    module = _module(found)
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        raise PluginError(f'the file needs a line `plugin = Plugin("{found.name}")`', str(found.path), 1)
    if plugin.name != found.name:
        raise PluginError(
            f'Plugin("{plugin.name}") must be called {found.name}, as its file is',
            str(found.path),
            _line_with("Plugin(", found.path),
        )
    return plugin


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles what it reads: a cached .pyc of the same second and size would be an older version."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True)


def _module(found: Found) -> ModuleType:
    name = f"relay_plugin_{found.name}_{next(_serial)}"
    package = [str(found.path.parent)] if found.path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(
        name, found.path, loader=_FreshLoader(name, str(found.path)), submodule_search_locations=package
    )
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - the loader is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except PluginError:
        del sys.modules[name]
        raise
    except BaseException as exc:
        del sys.modules[name]
        if isinstance(exc, KeyboardInterrupt):
            raise
        raise PluginError(_what(exc), str(found.path), _line(exc, found.path)) from exc
    return module


@contextmanager
def blaming(found: Found) -> Iterator[None]:
    """Whatever the plugin's own code raises in here is a `PluginError` with its file and line."""
    try:
        yield
    except RelayError:
        raise
    except Exception as exc:
        raise PluginError(_what(exc), str(found.path), _line(exc, found.path)) from exc


def _what(exc: BaseException) -> str:
    if isinstance(exc, SyntaxError):
        return f"SyntaxError: {exc.msg}"
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def _line(exc: BaseException, path: Path) -> int | None:
    """The last line of the plugin's own file on the way to the error."""
    if isinstance(exc, SyntaxError) and exc.filename == str(path):
        return exc.lineno
    own = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == str(path)]
    return own[-1] if own else None


def _line_with(words: str, path: Path) -> int | None:
    lines = path.read_text("utf-8", "replace").splitlines()
    return next((number for number, line in enumerate(lines, 1) if words in line), None)


def table_of(settings: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The plugin's table in bot.toml; an absent one is empty."""
    return settings.get(name, {})
