from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.config import Config, load
from relay.errors import ConfigurationError

REQUIRED = {
    "platform": 'app_id = "app"\napp_secret = "sesame-open"\n'
    'encoding_aes_key = "0123456789abcdef0123456789abcdef"',
    "server": 'callback_path = "/callback/0123456789abcdef"',
    "console": 'password = "correct horse"',
}

Read = Callable[..., Config]
Told = Callable[..., list[str]]


def written(tables: dict[str, str]) -> str:
    """A bot.toml with these lines in its tables, and with what is required where they do not say it."""
    names = dict.fromkeys([*REQUIRED, *tables])
    return "\n".join(f"[{name}]\n{_required(name, tables)}\n{tables.get(name, '')}" for name in names)


def _required(name: str, tables: dict[str, str]) -> str:
    said = {line.split(" ")[0] for line in tables.get(name, "").split("\n")}
    lines = REQUIRED.get(name, "").split("\n")
    return "\n".join(line for line in lines if line.split(" ")[0] not in said)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file with these lines in these tables and this environment: `read(env, server="port = 1")`."""

    def read(env: dict[str, str] | None = None, **tables: str) -> Config:
        path = tmp_path / "bot.toml"
        path.write_text(written(tables), encoding="utf-8")
        return load(path, env or {})

    return read


@pytest.fixture
def told(read: Read) -> Told:
    """The problems of such a file, one line each."""

    def told(env: dict[str, str] | None = None, **tables: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            read(env, **tables)
        return str(caught.value).split("\n")

    return told
