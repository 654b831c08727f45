"""Find plugin files, load them beside each other, and hold each to the contract."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

from pydantic import BaseModel

from relay.authoring.plugin import Bound, Plugin
from relay.config import EVERYWHERE, Switch
from relay.config import RESERVED as TAKEN_OUT
from relay.errors import PluginError, RelayError
from relay.language import Text
from relay.routing.installed import file_of, imported, installed, told
from relay.routing.modules import INIT, Held, fresh, module_of, placed, unload

__all__ = [
    "INIT",
    "Found",
    "Held",
    "Loaded",
    "blaming",
    "find",
    "held_now",
    "load",
    "module_of",
    "names",
    "own_files",
    "shipped_folder",
    "sources",
    "unload",
    "version_of",
]

NO_SETTING = Text(
    "设置里不能有 {key}：bot.toml 里每个插件都有这个键",
    "settings cannot have a key {key}: in bot.toml every plugin has it",
    "reserved",
)
OTHER_SETTING = Text("换个名字", "call it something else")
TAKEN = Text(
    "插件不能叫 {name}：bot.toml 里这个词另有用途",
    "a plugin cannot be called {name}: bot.toml uses that word",
    "reserved",
)
NO_PLUGIN = Text("文件里没有 plugin", "there is no plugin in the file", "no_plugin")
NO_PLUGIN_HINT = Text('加一行 `plugin = Plugin("{name}")`', 'it needs a line `plugin = Plugin("{name}")`')
NO_ENTRY = Text(
    "{dist} 的入口点 {name} = {value} 不是插件",
    "the entry point {name} = {value} of {dist} is no plugin",
    "no_plugin",
)
OTHER_NAME = Text(
    'Plugin("{given}") 应叫 {name}，和文件同名',
    'Plugin("{given}") must be called {name}, as its file is',
    "name",
)
RENAME = Text(
    '写 Plugin("{name}")，或把文件改名；整个文件是复制来的，就给新插件起新名字',
    'write Plugin("{name}"), or rename the file',
)
DOUBLED = Text("有两个插件叫 {name}：{places}", "there are two plugins {name}: {places}", "doubled")
DOUBLED_HINT = Text("留下一个", "keep one of them")
MISSING = Text(
    "plugins.order 里的 {names} 没有对应的插件", "plugins.order names {names}, and there is no such plugin"
)

RESERVED = frozenset({"folder", "order", "disabled", "timeout", "memory_limit"})
LARGEST = 4 << 20  # bytes of a file that is held; a larger one is read when it is loaded


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin's file, before anything of it has run."""

    name: str
    path: Path
    source: str  #: "folder", "installed" or "shipped"
    held: Held = field(default_factory=dict, repr=False, compare=False)
    entry: EntryPoint | None = None  #: of an installed one
    rivals: tuple[str, ...] = ()  #: others that claim the name at the same place


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
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)  #: of rules in their list

    def __post_init__(self) -> None:
        """What the handlers want, where whoever loaded it did not say; and which rule comes first."""
        object.__setattr__(self, "places", _places(self.settings))
        if self.bound is None:
            object.__setattr__(self, "bound", self.plugin.bound(self.settings, lambda name: (name,)))

    @property
    def memory(self) -> str:
        """Under which name its state is kept: what it remembers of observing is not what it did."""
        return f"{self.name} (observe)" if self.observe else self.name


def _places(settings: BaseModel) -> Mapping[str, int]:
    """Where the rules of these settings stand in their list, by name."""
    found: dict[str, int] = {}
    for listed in vars(settings).values():
        for index, rule in enumerate(listed if isinstance(listed, list | tuple) else ()):
            if isinstance(rule, BaseModel) and isinstance(name := getattr(rule, "name", None), str):
                found.setdefault(name, index)
    return found


def shipped_folder() -> Path:
    """Where the plugins that come with relay live: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent / "plugins"


def find(
    folder: Path, order: Iterable[str], disabled: Iterable[str], held: Held | None = None
) -> list[Found]:
    """The plugins to run: those named in `order`, then by name all others but the shipped ones.

    A file in the folder overrides an installed or shipped plugin of its name; a shipped one runs where
    `order` names it. `held` stands in for what the folder holds now.
    Raises `PluginError` for a name in `order` that no plugin has.
    """
    there = _all(folder, held)
    off, named = set(disabled), list(order)
    missing = [name for name in named if name not in there]
    if missing:
        raise PluginError(MISSING.filled(names=", ".join(missing)))
    others = sorted(name for name in there if name not in named and there[name].source != "shipped")
    return [there[name] for name in named + others if name not in off]


def names(folder: Path, held: Held | None = None) -> set[str]:
    """Every plugin that has a file in this folder, is installed or came with relay."""
    return set(sources(folder, held))


def sources(folder: Path, held: Held | None = None) -> dict[str, str]:
    """The same, with where each comes from."""
    return {name: found.source for name, found in _all(folder, held).items()}


def _all(folder: Path, held: Held | None) -> dict[str, Found]:
    entries = {name: _of_entries(each) for name, each in installed().items()}
    return _scan(shipped_folder(), "shipped") | entries | _scan(folder, "folder", held)


def _of_entries(entries: tuple[EntryPoint, ...]) -> Found:
    first, *others = entries
    return Found(first.name, file_of(first), "installed", {}, first, tuple(map(told, others)))


def held_now(folder: Path) -> Held:
    """What the files of all plugins in this folder hold now, the modules of packages included."""
    found = _scan(folder, "folder").values()
    files = [Path(path) for each in found for path in (str(each.path), *each.rivals)]
    packages = [path.parent for path in files if path.name == INIT]
    files += [path for package in packages for path in package.rglob("*.py")]
    return {str(path): _bytes(path) for path in files}


def own_files(found: Found) -> Held:
    """What a plugin is made of: its file, or all modules of its package."""
    if found.entry is not None:  # what is imported once stays, whatever the files hold
        return {}
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
    found: dict[str, Found] = {}
    for path in files:
        package = path.name == INIT
        name = path.parent.name if package else path.stem
        above = path.parent.parent if package else path.parent
        if above == folder and path.suffix == ".py" and not name.startswith(("_", "test_")):
            rivals = (str(found[name].path),) if name in found else ()
            found[name] = Found(name, path, source, held or {}, rivals=rivals)
    return found


def _on_disk(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # it may go at any moment
        for path in sorted(folder.iterdir()):
            package = path / INIT
            yield package if package.is_file() else path


def load(found: Found) -> Plugin:
    """Run the file's own bytes under a name of their own and return its `plugin`.

    Raises `PluginError` with file and line for whatever the file does wrong.
    """
    file = str(found.path)
    if found.name in RESERVED:
        raise PluginError(TAKEN.filled(name=found.name), file)
    if found.rivals:
        here = file if found.entry is None else told(found.entry)
        places = ", ".join((*found.rivals, here))
        raise PluginError(DOUBLED.filled(name=found.name, places=places), file, None, DOUBLED_HINT)
    plugin = _plugin(found)
    if plugin.name != found.name:
        wrong = OTHER_NAME.filled(given=plugin.name, name=found.name)
        raise PluginError(wrong, file, _line_with("Plugin(", found), RENAME.filled(name=found.name))
    plugin.check()
    _check_settings(plugin, found)
    return plugin


def _plugin(found: Found) -> Plugin:
    if found.entry is not None:
        plugin = imported(found.entry, found.path)
        about = {"name": found.name, "value": found.entry.value, "dist": told(found.entry)}
        missing = PluginError(NO_ENTRY.filled(**about), str(found.path))
    else:
        plugin = getattr(fresh(found.name, found.path, found.held), "plugin", None)
        hint = NO_PLUGIN_HINT.filled(name=found.name)
        missing = PluginError(NO_PLUGIN, str(found.path), 1, hint)
    if not isinstance(plugin, Plugin):
        raise missing
    return plugin


def _check_settings(plugin: Plugin, found: Found) -> None:
    """Raise where the settings have a key that bot.toml takes out of every plugin's table."""
    for name, field_ in plugin.settings.model_fields.items():
        key = field_.alias or name
        if key in TAKEN_OUT:
            line = _line_with(f"class {plugin.settings.__name__}", found)
            raise PluginError(NO_SETTING.filled(key=key), str(found.path), line, OTHER_SETTING)


@contextmanager
def blaming(found: Found) -> Iterator[None]:
    """Whatever the plugin's own code raises in here is a `PluginError` with its file and line."""
    try:
        yield
    except PluginError as exc:
        if exc.file is not None:
            raise
        raise placed(exc, found.path) from exc
    except RelayError:
        raise
    except Exception as exc:  # the plugin's own code: validators of its settings, what it made of `plugin`
        raise placed(exc, found.path) from exc


def _line_with(words: str, found: Found) -> int | None:
    try:
        source = (found.held.get(str(found.path)) or found.path.read_bytes()).decode("utf-8", "replace")
    except OSError:
        return None
    return next((number for number, line in enumerate(source.splitlines(), 1) if words in line), None)
