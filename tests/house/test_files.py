"""What files look like, and what does not belong in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

MOST_LINES = 400

NO_NOUNS = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "core", "misc"})

NOT_OURS = frozenset({"build", "dist", "node_modules", "__pycache__"})
"""Folders that are made, not written; those with a dot before their name are left out as well."""

FOREIGN = {
    "a developer's folder": re.compile(r"[/](root|work|Users[/]\w+|home[/]\w+)[/]"),
    "a package host": re.compile(
        r"pypi[.]org|pythonhosted[.]org|[/]simple[/]|index-[u]rl|mirrors?[.]\w+[.](com|edu|cn)"
    ),
}


def ours(pattern: str) -> list[Path]:
    """The files that people write, by their path from the top."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob(pattern) if path.is_file() and path.name != ".git")
    return sorted(path for path in paths if not any(is_made(folder) for folder in path.parts[:-1]))


def is_made(folder: str) -> bool:
    return folder in NOT_OURS or (folder.startswith(".") and folder not in (".ci", ".github"))


SOURCES = [path for path in ours("*.py") if path.parts[0] in ("relay", "plugins", "tests", "benchmarks")]


def test_a_file_has_at_most_400_lines() -> None:
    long = {str(path): len((ROOT / path).read_bytes().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in long.items() if lines > MOST_LINES} == {}


def test_a_module_is_named_for_what_it_holds() -> None:
    assert len(SOURCES) > 100
    assert [path for path in SOURCES if NO_NOUNS & {path.stem, *path.parts[:-1]}] == []


def test_no_file_names_somebodys_machine_or_a_package_host() -> None:
    found = [f"{path}: {what}" for path in ours("*") for what in foreign_in(text_of(path))]
    assert found == []


def text_of(path: Path) -> str:
    if path.name == ".env" or path.suffix in (".db", ".db-wal", ".db-shm", ".png", ".woff2"):
        return ""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def foreign_in(text: str) -> list[str]:
    return [what for what, pattern in FOREIGN.items() if pattern.search(text)]


def test_the_search_finds_what_it_is_for() -> None:
    assert foreign_in("see " + "/".join(["", "home", "ann", "relay"])) == ["a developer's folder"]
    assert foreign_in("pip install -i https://pypi" + ".org") == ["a package host"]
