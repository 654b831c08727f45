"""The simulator, put together: the platform's API and a page where a person plays the customers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from relay.clock import Clock, SystemClock
from relay.simulator.agenda import Agenda
from relay.simulator.api import Api, Credentials
from relay.simulator.directory import Directory
from relay.simulator.door import doors
from relay.simulator.entries import text_content, to_json
from relay.simulator.faults import Faults
from relay.simulator.hangup import Config
from relay.simulator.http_push import HttpPush
from relay.simulator.judge import Judge
from relay.simulator.ledger import Ledger, Message
from relay.simulator.limits import Limits
from relay.simulator.pages import Pages
from relay.simulator.platform import Platform
from relay.simulator.player import Player
from relay.simulator.pusher import Push, Pusher
from relay.simulator.recorder import Recorder
from relay.simulator.settings import SimulatorSettings
from relay.simulator.tokens import Tokens
from relay.simulator.world import Account, Contact, Room, World


class Simulator:
    """A platform of one's own: people say things, a bot's requests have effects, `ledger` knows all of it."""

    def __init__(self, settings: SimulatorSettings, clock: Clock, push: Push | None) -> None:
        habits = settings.habits
        self.settings = settings
        self.clock = clock
        self.world = World()
        self.ledger = Ledger(settings.keep)
        self.faults = Faults(self.ledger, clock)
        self.tokens = Tokens(settings.app_secret, clock, new_ends_old=habits.new_token_ends_old)
        self._http = HttpPush(settings.callback_url)
        self._agenda = Agenda(clock)
        self.pusher = Pusher(
            push or self._http,
            settings.key,
            clock,
            self.ledger,
            self.faults,
            self._agenda,
            concurrent=habits.concurrent_pushes,
        )
        self._platform = Platform(
            self.world, self.ledger, self.pusher, self.faults, self._agenda, clock, habits
        )
        self.api = Api(
            Credentials(settings.app_id, settings.app_secret),
            self.tokens,
            Limits(clock),
            Judge(self.world, self.ledger),
            self._platform,
            Directory(self.world, self.ledger),
            self.ledger,
            self.faults,
            clock,
            token_in_data=habits.token_in_data,
        )
        self.recorder = Recorder(self.world, self.faults, self.ledger, clock)
        self.player = Player(self, clock, self.ledger.touch)
        self.pages = Pages(self)
        calls = doors(self.api, self.faults, self.pusher, self.ledger)
        self.app = Starlette(routes=[*calls, *self.pages.routes()], lifespan=self._lifespan)

    @property
    def callback_url(self) -> str | None:
        """Where pushes go; None until it is known."""
        return self._http.url

    @callback_url.setter
    def callback_url(self, url: str | None) -> None:
        self._http.url = url

    def add_account(self, wxid: str, nickname: str, *, online: bool = True) -> Account:
        """Add one of our own accounts."""
        return self.world.add_account(wxid, nickname, online=online)

    def add_contact(self, wxid: str, nickname: str) -> Contact:
        """Add a customer, or anybody else whom the platform does not serve."""
        return self.world.add_contact(wxid, nickname)

    def add_room(self, room_wxid: str, name: str, members: list[str] | tuple[str, ...] = ()) -> Room:
        """Add a room with people that exist already; WorldError otherwise."""
        return self.world.add_room(room_wxid, name, members)

    def say(self, chat: str, sender: str, text: str) -> Message:
        """Let somebody type a text into a room, or to a person (`chat` is then that person's id)."""
        return self.post(chat, sender, "text", text_content(text))

    def post(
        self, chat: str, sender: str, msg_type: str, content: bytes | Mapping[str, object] | str
    ) -> Message:
        """Let somebody post any message; bytes travel as they are, anything else as JSON.

        An account of ours as the sender is staff at that phone. WorldError if the sender is not in the chat.
        """
        raw = content if isinstance(content, bytes) else to_json(content)
        message = self._platform.post(chat, sender, msg_type, raw)
        self.recorder.posted(chat, sender, msg_type, raw)
        return message

    def fail_next(self, account: str, reason: str = "sending failed") -> None:
        """Accept the next API message of this account, echo it, and then let it fail."""
        self._platform.fail_next(account, reason)
        self.recorder.told_to_fail(account, reason)

    def reject(self, target: str, reason: str | None = "refused by the recipient") -> None:
        """Let every API message to this target fail after its echo; None ends that."""
        self._platform.reject(target, reason)
        self.recorder.told_to_reject(target, reason)

    def record(self, file: Path | None = None) -> None:
        """Record from now on, into a file as well if one is given; `recorder.stop()` ends it."""
        self.recorder.start(file)

    def replay(self, recorded: Path | bytes, speed: float = 1.0) -> Awaitable[None]:
        """Do again what a recording says; RecordingError, and nothing done, where that cannot go well."""
        data = recorded if isinstance(recorded, bytes) else recorded.read_bytes()
        return self.player.start(data, speed)

    async def settle(self) -> None:
        """Wait until all that is due has happened and is pushed; what lies in the future may wait."""
        await self.pusher.settle()
        while due := self._agenda.due():
            for task in due:
                await task
            await self.pusher.settle()

    def end_streams(self) -> None:
        """End what would keep connections open: event streams, and calls that hang by a fault."""
        self.pages.close()
        self.faults.close()

    async def close(self) -> None:
        """Stop pushing and let go of every connection."""
        self.end_streams()
        self.recorder.stop()
        self.player.stop()
        await self._agenda.close()
        await self.pusher.close()
        await self._http.close()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.pusher.wake()
        yield
        await self.close()


def create_simulator(
    settings: SimulatorSettings | None = None, *, clock: Clock | None = None, push: Push | None = None
) -> Simulator:
    """Give a simulator with an empty world; with `push` the callbacks go there instead of over HTTP."""
    return Simulator(settings or SimulatorSettings(), clock or SystemClock(), push)


class SimulatorServer(uvicorn.Server):
    """A server that ends the pages' event streams before it waits for connections to close."""

    def __init__(self, simulator: Simulator, host: str, port: int) -> None:
        super().__init__(
            Config(
                simulator.app,
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._simulator = simulator

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        self._simulator.end_streams()
        await super().shutdown(sockets)


async def serve(simulator: Simulator, host: str | None = None, port: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; host and port are those of the settings unless given."""
    settings = simulator.settings
    await SimulatorServer(simulator, host or settings.host, settings.port if port is None else port).serve()
