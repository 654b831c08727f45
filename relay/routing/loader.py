"""Find plugin files, load them beside each other, and hold each to the contract."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pydantic import BaseModel

from relay.authoring.plugin import Bound, Plugin
from relay.config import EVERYWHERE, Switch
from relay.config import RESERVED as TAKEN_OUT
from relay.errors import PluginError, RelayError
from relay.language import Text

_serial = itertools.count(1)  # unique module names: two bots, or two versions, never share one

MODULE = "relay_plugin_"
NO_SETTING = Text(
    "设置里不能有 {key}：bot.toml 里每个插件都有这个键",
    "settings cannot have a key {key}: in bot.toml every plugin has it",
    "reserved",
)
OTHER_SETTING = Text("换个名字", "call it something else")

INIT = "__init__.py"
RESERVED = frozenset({"folder", "order", "disabled", "timeout", "memory_limit"})


LARGEST = 4 << 20  # bytes of a file that is held; a larger one is read when it is loaded

Held = Mapping[str, bytes]
"""What files held when they were accepted, by path; nothing of one that is unreadable or too large."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin's file, before anything of it has run."""

    name: str
    path: Path
    source: str  #: "folder" or "shipped"
    held: Held = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that is ready to run, with its settings read and checked."""

    name: str
    plugin: Plugin
    settings: BaseModel
    timeout: int  #: milliseconds for one handler and one message
    source: str
    path: Path
    version: str = ""  #: of its files and settings: equal ones need no swap
    bound: Bound = None  # type: ignore[assignment] # by default with no names of chats
    observe: bool = False  #: it runs, and nothing of what it decides is done
    switch: Switch = EVERYWHERE  #: in which chats it runs

    def __post_init__(self) -> None:
        """What the handlers want, where whoever loaded it did not say."""
        if self.bound is None:
            object.__setattr__(self, "bound", self.plugin.bound(self.settings, lambda name: (name,)))

    @property
    def memory(self) -> str:
        """Under which name its state is kept: what it remembers of observing is not what it did."""
        return f"{self.name} (observe)" if self.observe else self.name


def shipped_folder() -> Path:
    """Where the plugins that come with relay live: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent / "plugins"


def find(
    folder: Path, order: Iterable[str], disabled: Iterable[str], held: Held | None = None
) -> list[Found]:
    """The plugins to run: those named in `order`, then the folder's others by name.

    A file in the folder overrides a shipped plugin of its name; a shipped one runs where `order` names it.
    `held` stands in for what the folder holds now.
    Raises `PluginError` for a name in `order` that no file has.
    """
    here = _scan(folder, "folder", held)
    shipped = _scan(shipped_folder(), "shipped")
    off, named = set(disabled), list(order)
    missing = [name for name in named if name not in here and name not in shipped]
    if missing:
        raise PluginError(f"plugins.order names {', '.join(missing)}, and there is no such file in {folder}")
    others = sorted(name for name in here if name not in named)
    return [here.get(name) or shipped[name] for name in named + others if name not in off]


def names(folder: Path, held: Held | None = None) -> set[str]:
    """Every plugin that has a file in this folder or came with relay."""
    return {*_scan(folder, "folder", held), *_scan(shipped_folder(), "shipped")}


def held_now(folder: Path) -> Held:
    """What the files of all plugins in this folder hold now, the modules of packages included."""
    found = _scan(folder, "folder").values()
    packages = [each.path.parent for each in found if each.path.name == INIT]
    files = [each.path for each in found]
    files += [path for package in packages for path in package.rglob("*.py")]
    return {str(path): _bytes(path) for path in files}


def own_files(found: Found) -> Held:
    """What a plugin is made of: its file, or all modules of its package."""
    package = found.path.parent if found.path.name == INIT else None
    if found.held:
        return {
            name: held
            for name, held in found.held.items()
            if name == str(found.path) or (package and Path(name).is_relative_to(package))
        }
    files = package.rglob("*.py") if package else (found.path,)
    return {str(path): _bytes(path) for path in files}


def version_of(found: Found, *settings: object) -> str:
    """A word that is another one for other files or settings."""
    told = [found.source, str(found.path), *(repr(each) for each in settings)]
    told += [f"{name}:{hashlib.sha256(held).hexdigest()}" for name, held in sorted(own_files(found).items())]
    return hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()[:12]


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            read = file.read(LARGEST + 1)
    except OSError:  # whoever loads it says so
        return b""
    return (read or b"\n") if len(read) <= LARGEST else b""


def _scan(folder: Path, source: str, held: Held | None = None) -> dict[str, Found]:
    files = _on_disk(folder) if held is None else (Path(name) for name in held)
    found = {}
    for path in files:
        package = path.name == INIT
        name = path.parent.name if package else path.stem
        above = path.parent.parent if package else path.parent
        if above == folder and path.suffix == ".py" and not name.startswith(("_", "test_")):
            found[name] = Found(name, path, source, held or {})
    return found


def _on_disk(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in folder.iterdir():
            package = path / INIT
            yield package if package.is_file() else path


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
    plugin.check()
    _check_settings(plugin, found)
    return plugin


def _check_settings(plugin: Plugin, found: Found) -> None:
    """Raise where the settings have a key that bot.toml takes out of every plugin's table."""
    for name, field_ in plugin.settings.model_fields.items():
        key = field_.alias or name
        if key in TAKEN_OUT:
            line = _line_with(f"class {plugin.settings.__name__}", found.path)
            raise PluginError(NO_SETTING.filled(key=key), str(found.path), line, OTHER_SETTING)


def module_of(plugin: Plugin) -> str | None:
    """The name of the module that defines this very plugin, while it is loaded."""
    start = f"{MODULE}{plugin.name}_"
    for name, module in list(sys.modules.items()):
        if name.startswith(start) and getattr(module, "plugin", None) is plugin:
            return name
    return None


def unload(plugin: Plugin) -> None:
    """Forget its modules; what still runs of them goes on."""
    name = module_of(plugin)
    if name is None:
        return
    for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[each]
    sys.meta_path[:] = [each for each in sys.meta_path if getattr(each, "package", None) != name]


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles what was held, or else what it reads: a cached .pyc might be an older version."""

    def __init__(self, fullname: str, path: str, held: Held) -> None:
        super().__init__(fullname, path)
        self._held = held

    def get_data(self, path: str) -> bytes:
        return self._held.get(path) or super().get_data(path)

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True)


class _Modules:
    """Finds the modules of one package among the files that were held."""

    def __init__(self, package: str, found: Found) -> None:
        self.package = package
        self._found = found

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """As `sys.meta_path` asks for it; None for what is not of the package, or was not held."""
        if not fullname.startswith(f"{self.package}."):
            return None
        inside = self._found.path.parent.joinpath(*fullname.removeprefix(self.package).split(".")[1:])
        for file in (inside / INIT, inside.with_name(inside.name + ".py")):
            if str(file) in self._found.held:
                return _spec(fullname, file, self._found.held)
        return None


def _spec(name: str, path: Path, held: Held) -> ModuleSpec:
    package = [str(path.parent)] if path.name == INIT else None
    loader = _FreshLoader(name, str(path), held)
    spec = importlib.util.spec_from_file_location(
        name, path, loader=loader, submodule_search_locations=package
    )
    assert spec is not None  # noqa: S101 - the loader is given
    return spec


def _module(found: Found) -> ModuleType:
    name = f"{MODULE}{found.name}_{next(_serial)}"
    spec = _spec(name, found.path, found.held)
    assert spec.loader is not None  # noqa: S101 - it is given
    if found.held and found.path.name == INIT:
        sys.meta_path.insert(0, _Modules(name, found))  # also for what it imports when it runs
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:
        del sys.modules[name]
        if isinstance(exc, PluginError) and exc.file is not None:
            raise
        if isinstance(exc, KeyboardInterrupt):
            raise
        raise _placed(exc, found) from exc
    return module


@contextmanager
def blaming(found: Found) -> Iterator[None]:
    """Whatever the plugin's own code raises in here is a `PluginError` with its file and line."""
    try:
        yield
    except PluginError as exc:
        if exc.file is not None:
            raise
        raise _placed(exc, found) from exc
    except RelayError:
        raise
    except Exception as exc:
        raise _placed(exc, found) from exc


def _placed(exc: BaseException, found: Found) -> PluginError:
    """The error with the place in the plugin's own file where it came from."""
    what, hint = (exc.what, exc.hint) if isinstance(exc, PluginError) else (_what(exc), None)
    return PluginError(what, str(found.path), _line(exc, found.path), hint)


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
