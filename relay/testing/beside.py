"""Which plugin a test file is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from relay.routing.loader import INIT

_MADE = re.compile(r"^plugin\b.*=.*\bPlugin\(", re.MULTILINE)


def plugin_file(plugin: str | Path, beside: Path | None = None) -> Path:
    """The file of a plugin that is given by path, or by name and then looked for beside a test.

    Raises FileNotFoundError with the places that were looked at.
    """
    given = Path(plugin)
    start = (beside.parent if beside else Path()).resolve()
    if given.suffix == ".py" or len(given.parts) > 1:
        places = [start / given, Path.cwd() / given]
        places = [place / INIT if place.is_dir() else place for place in places]
    else:
        places = [
            file for folder in _folders(start) for file in (folder / f"{given}.py", folder / given / INIT)
        ]
    for place in places:
        if place.is_file():
            return place
    looked = "\n".join(f"  {place}" for place in dict.fromkeys(places))
    raise FileNotFoundError(f"there is no plugin {given}; looked for:\n{looked}")


def plugin_of(test: Path) -> Path:
    """The plugin that a test file is named for: `test_greeter.py` or `greeter_test.py` is about `greeter`.

    A test inside a plugin's package is about that package. Raises FileNotFoundError.
    """
    for folder in (test.parent, test.parent.parent):
        package = folder / INIT
        if package.is_file() and _MADE.search(package.read_text("utf-8", "replace")):
            return package
    return plugin_file(re.sub("^test_|_test$", "", test.stem), test)


def _folders(start: Path) -> Iterator[Path]:
    """Where plugins may be, seen from a test: beside it, or in `plugins/` beside a folder above it."""
    yield start
    for above in (start, *start.parents[:3]):
        yield above / "plugins"
        if (above / "bot.toml").is_file() or (above / "pyproject.toml").is_file():
            return
