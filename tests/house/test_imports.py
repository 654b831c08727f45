"""Imports run one way: down."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import relay

ROOT = Path(__file__).parents[2]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("lean", "language", "errors", "clock", "log", "tasks", "lock", "bounds"),
    ("wire",),
    ("config",),
    ("store",),
    ("authoring", ""),
    ("routing", "linting"),
    ("receiving", "sending"),
    ("operating", "console"),
    ("serving",),
    ("roles", "ties", "process", "standby", "forkserver"),
    ("supervisor", "testing"),
    ("run",),
    ("cli", "__main__"),
)
"""From the ground up; a part imports its own layer and those before it. `""` is `relay`, the public face."""

ROOTS = frozenset({"cli", "supervisor"})
"""They put the bot together, so they know everybody."""

ASIDE = {
    "simulator": frozenset({"simulator", "wire", "clock", "errors"}),
    "shipped": frozenset({""}),
}
"""Parts that stand beside the layers, and all that they may import."""

MAY_SIMULATE = frozenset({"testing", "simulator", *ROOTS})


def part_of(module: str) -> str:
    """The part of relay that a module belongs to: `relay.wire.crypto` is of `wire`."""
    return module.split(".")[1] if "." in module else ""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted((ROOT / "relay").rglob("*.py"))}
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}


@cache
def imports_of(path: Path) -> tuple[tuple[int, str], ...]:
    """Every module of relay that a file imports, at whatever depth, with the line."""
    return tuple(_imports_of(path))


def _imports_of(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            base = node.module or ""
            if is_ours(base):
                names = (f"{base}.{alias.name}" for alias in node.names)
                yield from ((node.lineno, name if name in MODULES else base) for name in names)


def is_ours(module: str) -> bool:
    return module == "relay" or module.startswith("relay.")


def may_import(part: str, other: str) -> bool:
    if part in ASIDE:
        return other in ASIDE[part]
    if other in ASIDE:
        return other == "simulator" and part in MAY_SIMULATE
    return part in ROOTS or LEVELS[other] <= LEVELS[part]


def test_a_module_imports_nothing_above_it() -> None:
    parts = {module: part_of(module) for module in MODULES}
    assert {part for part in parts.values() if part not in LEVELS and part not in ASIDE} == set(), "LAYERS"
    found = [
        f"{MODULES[module]}:{line}: {part} may not import {other}"
        for module, part in parts.items()
        for line, other in imports_of(MODULES[module])
        if not may_import(part, part_of(other))
    ]
    assert found == []


def test_config_knows_only_the_ground_and_the_key() -> None:
    allowed = ("relay.config", "relay.errors", "relay.language", "relay.clock", "relay.wire.crypto")
    for module, path in MODULES.items():
        if part_of(module) == "config":
            for line, other in imports_of(path):
                assert other.startswith(allowed), f"{path}:{line}: config may not import {other}"


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        module: {other for _, other in imports_of(path)} - {module, "relay"}
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" → ".join(reversed(exc.args[1])))


PLUGINS = sorted(path for path in (ROOT / "plugins").rglob("*.py") if not path.name.startswith("test_"))


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_a_shipped_plugin_uses_the_door_that_everyone_has(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("relay.") for alias in node.names), f"{path}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom) and is_ours(node.module or ""):
            assert node.module == "relay", f"{path}:{node.lineno}: only `from relay import …`"
            assert {alias.name for alias in node.names} <= set(relay.__all__), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("part", "other", "allowed"),
    [
        ("wire", "errors", True),
        ("wire", "config", False),
        ("store", "routing", False),
        ("cli", "simulator", True),
        ("sending", "simulator", False),
        ("simulator", "store", False),
        ("simulator", "wire", True),
        ("supervisor", "cli", True),
    ],
)
def test_the_rule_itself_tells_up_from_down(part: str, other: str, allowed: bool) -> None:
    assert may_import(part, other) is allowed


def _imported_in_functions(path: Path) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (
                str(node.module)
                for node in ast.walk(function)
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("relay.")
            )


def test_whatever_a_role_imports_once_it_runs_is_loaded_before_it_is_forked() -> None:
    """A role that is forked from a program must not read the half of another one from the disk."""
    late = {
        each for name in ("process", "roles") for each in _imported_in_functions(ROOT / f"relay/{name}.py")
    }
    code = "import sys; from relay.standby import NEEDS, load; load(NEEDS); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert late - set(loaded.split()) == {"relay.operating.rehearsal"}  # of commands, and no role's
