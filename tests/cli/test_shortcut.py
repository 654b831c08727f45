"""`relay run` by the short way, and what each way loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relay.cli.options import DEFAULT_CONFIG
from relay.cli.run import Role
from relay.cli.shortcut import ROLES, Serving, read

HERE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "serving"),
    [
        ("run", Serving()),
        ("run --role sender", Serving(role="sender")),
        ("run -c a/bot.toml --with-parent", Serving(Path("a/bot.toml"), with_parent=True)),
        ("run --config b --role console", Serving(Path("b"), "console")),
    ],
)
def test_a_plain_run_is_read_without_typer(words: str, serving: Serving) -> None:
    assert read(words.split()) == serving


@pytest.mark.parametrize(
    "words", ["", "status", "run --help", "run --role", "run --role nobody", "run x y", "run --config="]
)
def test_everything_else_is_for_typer(words: str) -> None:
    assert read(words.split()) is None


def test_both_ways_know_the_same_roles_and_the_same_file() -> None:
    assert tuple(map(str, Role)) == ROLES
    assert Serving().config == DEFAULT_CONFIG


LARGE = {"aiohttp", "jinja2", "rich", "starlette", "typer", "uvicorn"}


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import relay.process, relay.supervisor, relay.cli", set()),
        ("import relay.sending.client, relay.sending.sender", {"aiohttp"}),
        ("import relay.serving.server, relay.receiving.door", {"starlette", "uvicorn"}),
        ("import relay.cli.app, relay.cli.status", {"rich", "typer"}),
    ],
)
def test_a_process_holds_no_more_than_it_needs(code: str, loaded: set[str]) -> None:
    command = [sys.executable, "-c", f"import sys; {code}; print(*{LARGE} & {{*sys.modules}})"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE)
    assert set(done.stdout.split()) == loaded
