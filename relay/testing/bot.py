"""The whole bot on the simulator, in one process and without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Self

from relay.clock import Clock
from relay.config import load
from relay.errors import ConfigurationError
from relay.receiving.door import create_app
from relay.roles import (
    build_receiver,
    build_router,
    build_sender,
    load_plugins,
    offers,
    open_store,
    receiver_settings,
)
from relay.routing.pipeline import Witness
from relay.routing.swap import Swap
from relay.sending.client import Transport
from relay.simulator.app import Simulator, create_simulator
from relay.simulator.clockwork import ManualClock
from relay.store.sqlite import SqliteStore
from relay.testing.asgi import AsgiTransport, asgi_call
from relay.testing.blank import write_blank

SECRETS = {
    "RELAY_APP_SECRET": "sim-secret",
    "RELAY_AES_KEY": "0123456789abcdefghijklmnopqrstuv",
    "RELAY_CALLBACK_SECRET": "a-path-nobody-guesses",
    "RELAY_CONSOLE_PASSWORD": "a-console-password",
}
BASE = """
[platform]
app_id = "sim-app"
app_secret = "${RELAY_APP_SECRET}"
encoding_aes_key = "${RELAY_AES_KEY}"
%s
[server]
callback_path = "/callback/${RELAY_CALLBACK_SECRET}"
[console]
password = "${RELAY_CONSOLE_PASSWORD}"
"""


class Bot:
    """A bot with this bot.toml, a simulator for its platform, and time under control.

    `toml` holds what differs from the defaults: [chats], rules, routes, [delivery]…; `accounts` are
    configured as ours, so that routing starts at once. Raises `ConfigurationError` or `PluginError`.
    """

    def __init__(
        self,
        toml: str = "",
        *,
        accounts: tuple[str, ...] = (),
        folder: Path | None = None,
        simulator: Simulator | None = None,
        transport: Transport | None = None,
        clock: ManualClock | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.spooling = False  #: whether the next start uses the spool of bot.toml
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="relay-")
        self.folder = folder or Path(self._temporary.name if self._temporary else ".")
        self.simulator = simulator or create_simulator(clock=self.clock, push=self.push)
        self._router_first = True
        self._witness = witness
        self._transport = transport or AsgiTransport(self.simulator.app)
        self._write_config(toml, accounts)
        try:
            self.config = load(self.folder / "bot.toml", SECRETS)
            self._start(self.clock)
        except BaseException:
            if self._temporary is not None:
                self._temporary.cleanup()
            raise

    def _write_config(self, toml: str, accounts: tuple[str, ...]) -> None:
        listed = ", ".join(f'"{account}"' for account in accounts)
        text = (BASE % (f"accounts = [{listed}]" if accounts else "")) + toml
        (self.folder / "bot.toml").write_text(text, "utf-8")

    def _start(self, clock: Clock) -> None:
        loading = load_plugins(self.config)
        if loading.problems:
            raise ConfigurationError(tuple(loading.problems))
        if loading.failed:
            raise loading.failed[0][1]
        write_blank(self.config.database)
        self.store: SqliteStore = open_store(self.config, clock)
        self.receiver = build_receiver(self.config, self.store, clock, spooling=self.spooling)
        self.door = create_app(self.receiver, receiver_settings(self.config))
        self.plugins = tuple(loading.loaded)
        self.router = build_router(self.config, self.store, clock, loading.loaded, witness=self._witness)
        self.sender = build_sender(self.config, self.store, clock, self._transport)
        life = self.router.occasions.life if self.router.occasions else None
        self._swap = Swap(self.router.pipeline, life, self.router.standing)

    async def push(self, body: bytes) -> int:
        """Deliver a callback to the public door, as the simulator does, and let it be taken in."""
        path = self.config.server.callback_path.get_secret_value()
        status, _ = await asgi_call(self.door, "POST", path, body=body)
        await self.receiver.taken_in()
        return status

    async def work(self) -> None:
        """Let everything happen that can happen without time passing.

        Router and sender go first by turns, as nothing but chance decides between the processes they are.
        """
        await self.store.add_accounts(self.config.platform.accounts, "configured")
        before = -1
        while before != (before := self.store.version()):
            await self.simulator.settle()
            await self.receiver.taken_in(large=True)
            await self.door.state.sources.look(self.store)
            for drain in (self.router.drain, self.sender.drain)[:: 1 if self._router_first else -1]:
                await drain()
            self._router_first = not self._router_first

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass, and then happen what was waiting for it."""
        self.clock.jump(seconds)
        await self.work()

    async def swap(self, toml: str | None = None) -> None:
        """Let plugins be what their files and bot.toml are now, beside messages, as in a bot that runs."""
        if toml is not None:
            self._write_config(toml, self.config.platform.accounts)
        self.config = load(self.folder / "bot.toml", SECRETS)
        await self._swap.take(offers(self.config))
        self.plugins = self.router.pipeline.plugins
        await self._swap.disposed()

    async def restart(self, toml: str | None = None) -> None:
        """Forget everything that is not on disk, and start again, perhaps with another bot.toml."""
        self.receiver.abandon()
        self.store.close()
        self.receiver.let_go()
        if toml is not None:
            self._write_config(toml, self.config.platform.accounts)
            self.config = load(self.folder / "bot.toml", SECRETS)
        self._start(self.clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of files and connections."""
        await self.receiver.finish(1.0)
        self.store.close()
        self.receiver.let_go()
        await self.simulator.close()
        if self._temporary is not None:
            self._temporary.cleanup()
