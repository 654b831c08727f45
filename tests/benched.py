"""A file of tests for `bench`, run as pytest would run it, without its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relay.testing import Bench


def run_tests(code: str, plugin: Path) -> list[str]:
    """Run every test in the code, on a bench of its own if it wants one; their names."""
    module: dict[str, Any] = {"__name__": f"test_{plugin.stem}"}
    exec(compile(code, f"test_{plugin.stem}.py", "exec"), module)
    tests = [name for name in module if name.startswith("test_")]
    for name in tests:
        test = module[name]
        if "bench" in test.__code__.co_varnames[: test.__code__.co_argcount]:
            with Bench(plugin, **_marked(module, test)) as bench:
                test(bench)
        else:
            test()
    return tests


def _marked(module: dict[str, Any], test: Any) -> dict[str, Any]:
    """What `pytest.mark.relay` says of a test, the nearest last."""
    marks = [module.get("pytestmark"), *getattr(test, "pytestmark", [])]
    return {key: value for mark in marks if mark for key, value in mark.kwargs.items()}
