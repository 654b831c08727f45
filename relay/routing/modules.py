"""Modules of plugins: compiled from the very bytes that were read, under names that no other version has."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from relay.authoring.plugin import Plugin
from relay.config.problems import did_you_mean
from relay.errors import PluginError
from relay.language import Said, Text

_serial = itertools.count(1)  # unique module names: two bots, or two versions, never share one

INIT = "__init__.py"
MODULE = "relay_plugin_"

Held = Mapping[str, bytes]
"""What files held when they were accepted, by path; nothing of one that is unreadable or too large."""

SYNTAX = Text("语法错误 SyntaxError: {what}", "SyntaxError: {what}", "syntax")
UTF8 = Text("把文件存成 UTF-8 编码", "save the file as UTF-8", "syntax")
NO_MODULE = Text(
    "在 relay 的环境里装上它（pip install …），或检查拼写；同一插件的模块用包和 from .名称 import",
    "install it where relay is installed, or check its spelling; modules of the plugin's own need a package "
    "and `from .name import`",
)
ENDS = Text(
    "插件是被加载的，不是被运行的：去掉 exit()，或放进 if __name__ == '__main__'",
    "a plugin is loaded, not run: take exit() out, or put it under if __name__ == '__main__'",
)
UNREADABLE = Text("读不了：{what}", "cannot be read: {what}", "unreadable")
IN_PUBLIC = Text("插件能用的都在 relay 里：{names}…", "all that a plugin needs is in relay: {names}…")


def fresh(name: str, path: Path, held: Held) -> ModuleType:
    """Run a plugin's file, or the package of an `__init__.py`, as a module that nobody else has.

    Raises `PluginError` with the line of that file where something went wrong.
    """
    whole = f"{MODULE}{name}_{next(_serial)}"
    spec = _spec(whole, path, held)
    assert spec.loader is not None  # noqa: S101 - it is given
    if held and path.name == INIT:
        sys.meta_path.insert(0, _Modules(whole, path, held))  # also for what it imports when it runs
    module = importlib.util.module_from_spec(spec)
    sys.modules[whole] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:  # a plugin's own code, which may also call exit()
        _forget(whole)
        if isinstance(exc, KeyboardInterrupt) or (isinstance(exc, PluginError) and exc.file is not None):
            raise
        raise placed(exc, path) from exc
    return module


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
    if name is not None:
        _forget(name)


def _forget(name: str) -> None:
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
        return _compiled(self.get_data(path), path)


@functools.lru_cache(maxsize=16)
def _compiled(source: bytes, path: str) -> CodeType:
    """The same for the same bytes: other settings, or another bot in the process, need no new one."""
    code: CodeType = compile(source, path, "exec", dont_inherit=True)
    return code


class _Modules:
    """Finds the modules of one package among the files that were held."""

    def __init__(self, package: str, path: Path, held: Held) -> None:
        self.package = package
        self._path = path
        self._held = held

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """As `sys.meta_path` asks for it; None for what is not of the package, or was not held."""
        if not fullname.startswith(f"{self.package}."):
            return None
        inside = self._path.parent.joinpath(*fullname.removeprefix(self.package).split(".")[1:])
        for file in (inside / INIT, inside.with_name(inside.name + ".py")):
            if str(file) in self._held:
                return _spec(fullname, file, self._held)
        return None


def _spec(name: str, path: Path, held: Held) -> ModuleSpec:
    package = [str(path.parent)] if path.name == INIT else None
    loader = _FreshLoader(name, str(path), held)
    spec = importlib.util.spec_from_file_location(
        name, path, loader=loader, submodule_search_locations=package
    )
    assert spec is not None  # noqa: S101 - the loader is given
    return spec


# -- what went wrong -----------------------------------------------------------------------------------


def placed(exc: BaseException, path: Path) -> PluginError:
    """The error with the place in the plugin's own file where it came from, and what to do about it."""
    file, line = str(path), _line(exc, path)
    if isinstance(exc, PluginError):
        return PluginError(exc.what, file, line, exc.hint)
    if isinstance(exc, SyntaxError):
        coded = "codec can't decode" in str(exc) or "null bytes" in str(exc)
        elsewhere = exc.filename if exc.filename and Path(exc.filename).suffix == ".py" else file
        return PluginError(
            SYNTAX.filled(what=exc.msg), elsewhere, exc.lineno or line, UTF8 if coded else None
        )
    if isinstance(exc, OSError) and line is None and exc.filename == file:
        return PluginError(UNREADABLE.filled(what=exc.strerror or type(exc).__name__), file)
    words = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return PluginError(words, file, line, _hint(exc))


def _hint(exc: BaseException) -> Text | Said | None:
    if isinstance(exc, ModuleNotFoundError):
        return NO_MODULE
    if isinstance(exc, ImportError) and exc.name == "relay":
        public, wanted = sys.modules["relay"].__all__, re.search(r"import name '(\w+)'", str(exc))
        near = did_you_mean(wanted[1], public) if wanted else None
        return near or IN_PUBLIC.filled(names=", ".join(public[:8]))
    return ENDS if isinstance(exc, SystemExit) else None


def _line(exc: BaseException, path: Path) -> int | None:
    """The last line of the plugin's own file on the way to the error."""
    own = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == str(path)]
    return own[-1] if own else None
