"""A platform that answers by script: what it says, when, and what the test sees meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from bots import ANN, EAST, ONE, callback, deliveries, entry, eventually

from relay.sending.attempts import NoAnswer
from relay.testing import Bot
from relay.wire.answers import Answer, read_answer

LOST = NoAnswer(sent=True, error="no answer")
UNSENT = NoAnswer(sent=False, error="refused")
_CANNED = {
    "/oauth/token": b'{"errcode":0,"access_token":"t"}',
    "/wechat/list": b'{"errcode":0,"data":[{"wxid":"%b"}]}' % ONE.encode(),
}


def says(errcode: int, **more: Any) -> Answer:
    return read_answer(200, json.dumps({"errcode": errcode, **more}).encode())


class Desk:
    """Takes every request, unless its script says otherwise; holds back the targets that are in `closed`."""

    def __init__(self, *script: Answer | NoAnswer) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.on_their_way: list[list[str]] = []
        self.closed: set[str] = set()
        self.opened = asyncio.Event()

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        if path in _CANNED:
            return read_answer(200, _CANNED[path])
        if method == "GET":
            return says(406)  # it knows nobody's name
        asked = json.loads(body)
        targets = asked.get("chat_wxids") or [asked["target_wxid"]]
        self.requests.append(asked)
        self.on_their_way.append(targets)
        while self.closed.intersection(targets):
            await self.opened.wait()
        self.on_their_way.remove(targets)
        return self.script.pop(0) if self.script else _taken(asked)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def open(self) -> None:
        """Let every answer go that was held back."""
        self.closed.clear()
        self.opened.set()

    def id_of(self, number: int = 0, message: int = 0) -> str:
        """The api_send_id of a message in a request."""
        return str(self.requests[number]["messages"][message]["api_send_id"])

    @property
    def texts(self) -> list[str]:
        """What was asked to be sent, in order."""
        return [m["content"]["items"][0]["text"] for asked in self.requests for m in asked["messages"]]


def _taken(asked: dict[str, Any]) -> Answer:
    messages = asked["messages"]
    data = [{"idx": idx, "api_send_svrid": f"s,{m.get('api_send_id')}"} for idx, m in enumerate(messages)]
    return says(0, data=data)


async def echo(bot: Bot, svrid: str, chat: str = EAST, **ids: Any) -> None:
    """Our own message comes back."""
    await bot.push(callback(entry(svrid, "ten", chat_wxid=chat, from_wxid=ONE, **ids)))
    await bot.sender._settle_signals()


async def fail(bot: Bot, account: str = ONE, **ids: Any) -> None:
    """The platform says that it could not send."""
    failure = {"message": "blocked", **ids}
    await bot.push(callback(failure, account=account, kind="chatMsgSendFail"))
    await bot.sender._settle_signals()


async def ask_price(bot: Bot, svrid: str = "1", **more: Any) -> None:
    """A customer says what the keyword rule answers."""
    await bot.push(callback(entry(svrid, f"price {svrid}", from_wxid=ANN, **more)))
    await bot.router.drain()


async def start(bot: Bot, desk: Desk, requests: int = 1) -> None:
    """Let the sender begin what it can, until so many requests have reached the platform."""

    async def there() -> bool:
        await bot.sender.step()
        return len(desk.requests) >= requests

    await eventually(there)


async def stand(bot: Bot) -> list[tuple[str, str | None]]:
    """State and evidence of every delivery."""
    return [(str(row["state"]), row["evidence"]) for row in await deliveries(bot)]
