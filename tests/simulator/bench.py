"""A small world on a clock moved by hand, and a bot's side of it that notes every callback."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.types import ASGIApp

from relay.simulator.app import Simulator, create_simulator
from relay.simulator.clockwork import ManualClock
from relay.simulator.habits import Habits
from relay.simulator.settings import SimulatorSettings
from relay.wire.crypto import open_body

T = TypeVar("T")
Json = dict[str, Any]

BOT = "1688850000000001"
SECOND = "1688850000000002"
ANN = "7881300000000001"
BEN = "7881300000000002"
EAST = "R:10950000000000001"
WEST = "R:10950000000000002"
SETTINGS = SimulatorSettings()
PATIENCE = 60  # real seconds, after which a test that hangs has failed


@dataclass(frozen=True, slots=True)
class Reply:
    """What an ASGI app answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Call an ASGI app without a server."""
    all_headers = {"host": "127.0.0.1:8090", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query or {}).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in all_headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8090),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], start, b"".join(m.get("body", b"") for m in sent[1:]))


@dataclass
class Receiver:
    """The bot's end: opens every callback, and answers as `answer` says."""

    answer: Callable[[], Awaitable[int]] | None = None
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, body: bytes) -> int:
        self.bodies.append(open_body(body, SETTINGS.key, allow_plaintext=False))
        return 200 if self.answer is None else await self.answer()

    def entries(self, account: str | None = None, kind: str = "chatMsg") -> list[Json]:
        """Give the entries received, of one account or of all."""
        envelopes = [envelope for body in self.bodies for envelope in json.loads(body)]
        fitting = [e for e in envelopes if e["type"] == kind and account in (None, e["rel_wxid"])]
        return [entry for envelope in fitting for entry in envelope["data"]]


class Bench:
    """East has Ann, Ben and the bot's account; West has Ann and both accounts."""

    def __init__(
        self,
        habits: Habits | None = None,
        answer: Callable[[], Awaitable[int]] | None = None,
        keep: int | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.receiver = Receiver(answer)
        settings = SimulatorSettings(habits=habits or Habits(), keep=keep)
        self.sim: Simulator = create_simulator(settings, clock=self.clock, push=self.receiver)
        self.sim.add_account(BOT, "小助手")
        self.sim.add_account(SECOND, "小助手二号")
        self.sim.add_contact(ANN, "Ann")
        self.sim.add_contact(BEN, "Ben")
        self.sim.add_room(EAST, "East", [ANN, BEN, BOT])
        self.sim.add_room(WEST, "West", [ANN, BOT, SECOND])

    async def post(self, path: str, fields: Json | bytes) -> Any:
        """Call a POST endpoint as it stands."""
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        return (await call(self.sim.app, "POST", path, body=body)).json

    async def token(self) -> str:
        """Fetch a token."""
        fields = {"app_id": "sim-app", "app_secret": "sim-secret", "grand_type": "client_credentials"}
        answer = await self.post("/oauth/token", fields)
        return str(answer["data"]["access_token"])

    async def api(self, path: str, fields: Json) -> Any:
        """Call a POST endpoint with a new token."""
        return await self.post(path, {"app_id": "sim-app", "access_token": await self.token(), **fields})

    async def get(self, path: str, **query: str) -> Any:
        """Call a GET endpoint with a new token."""
        known = {"app_id": "sim-app", "access_token": await self.token()}
        return (await call(self.sim.app, "GET", path, query={**known, **query})).json

    async def send(self, target: str, *texts: str, account: str = BOT, **more: Any) -> Any:
        """Call sendMessage with plain texts; `more` goes into every message."""
        messages = [
            {"msg_type": "text", "content": {"items": [{"type": "text", "text": text}]}, **more}
            for text in texts
        ]
        return await self.api(
            "/wechat/sendMessage", {"wxid": account, "target_wxid": target, "messages": messages}
        )

    async def forward(self, entry: Json | bytes, *targets: str, account: str = BOT) -> Any:
        """Call forwardMsg with a received entry; bytes are the message's JSON, put in as they are."""
        message = entry if isinstance(entry, bytes) else as_forward(entry)
        head = {
            "app_id": "sim-app",
            "access_token": await self.token(),
            "wxid": account,
            "chat_wxids": list(targets),
        }
        return await self.post(
            "/wechat/forwardMsg", json.dumps(head).encode()[:-1] + b',"messages":[' + message + b"]}"
        )


def as_forward(entry: Json) -> bytes:
    """Give the message of a forwardMsg call for a received entry, spelled as the simulator spells it."""
    fields = {name: entry[name] for name in ("msg_type", "content", "msg_time")}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def rule(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own, which leaves no task behind."""

    async def in_time(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            await test(*args, **kwargs)

    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(in_time(*args, **kwargs))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined] # what pytest reads parameters from
    return run
