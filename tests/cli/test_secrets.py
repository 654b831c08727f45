"""No command and no answer of the console gives a secret away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cli.conftest import Relay

from relay.clock import SystemClock
from relay.config import load
from relay.console.app import create_console
from relay.roles import load_plugins, open_store
from relay.testing import SECRETS, asgi_call

COMMANDS = [
    ("check",),
    ("status",),
    ("messages",),
    ("deliveries",),
    ("messages", "--chat", "nowhere"),
    ("explain", "m1"),
    ("try", "价格", "--chat", "east", "--sender", "7881300000000001"),
    ("run", "--role", "nothing"),
]
NAMES = ("status", "messages", "messages/m1", "deliveries", "openapi.json", "nope")


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_tells_a_secret(
    relay: Relay, filled: Path, command: tuple[str, ...], json: tuple[str, ...]
) -> None:
    ended = relay(*command, "--config", str(filled), *json)
    assert ended.out + ended.err
    assert not [name for name, secret in SECRETS.items() if secret in ended.out + ended.err]


def test_no_complaint_about_the_configuration_tells_a_secret(relay: Relay, fresh: Path) -> None:
    text = fresh.read_text("utf-8").replace("encoding_aes_key =", "encoding_aes_kee =")
    fresh.write_text(text.replace("[console]", "[console]\nport = 'a'"), "utf-8")
    for json in ((), ("--json",)):
        ended = relay("check", "--config", str(fresh), *json)
        assert ended.code == 2
        assert not [secret for secret in SECRETS.values() if secret in ended.out + ended.err]


def test_no_answer_of_the_console_tells_a_secret(relay: Relay, filled: Path) -> None:
    relay("--version")  # its fixture brings the environment

    async def ask() -> bytes:
        config = load(filled)
        store = open_store(config, SystemClock())
        app = create_console(config, store, load_plugins(config))
        key = {"authorization": f"Bearer {SECRETS['RELAY_CONSOLE_PASSWORD']}"}
        paths = ("/", "/metrics", *(f"/api/{name}" for name in NAMES))
        told = [(await asgi_call(app, "GET", path, headers=h))[1] for path in paths for h in (key, {})]
        store.close()
        return b"".join(told)

    told = asyncio.run(ask()).decode()
    assert not [secret for secret in SECRETS.values() if secret in told]
