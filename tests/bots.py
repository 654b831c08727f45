"""A small world for whole bots: two accounts, two customers, three rooms; and callbacks written by hand."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from relay.sending.client import Transport
from relay.simulator.app import create_simulator
from relay.simulator.habits import Habits
from relay.testing import SECRETS, Bot, ManualClock, SimulatorSettings
from relay.wire.crypto import encrypt

Row = dict[str, Any]

ONE = "1688850000000001"
TWO = "1688850000000002"
ANN = "7881300000000001"
BEN = "7881300000000002"
EAST = "R:10950000000000001"
WEST = "R:10950000000000002"
NORTH = "R:10950000000000003"
ROOMS: Mapping[str, Sequence[str]] = dict.fromkeys((EAST, WEST, NORTH), (ONE, TWO, ANN, BEN))

MIRROR = f"""
[[plugins.group_mirror.routes]]
name = "all"
between = ["{EAST}", "{WEST}"]
"""
REPLY = """
[[plugins.keyword_reply.rules]]
name = "price"
contains = ["price"]
reply = "ten"
"""


def make_bot(
    toml: str = "",
    *,
    accounts: tuple[str, ...] = (ONE,),
    rooms: Mapping[str, Sequence[str]] = ROOMS,
    habits: Habits | None = None,
    folder: Path | None = None,
    transport: Transport | None = None,
    configured: bool = False,
) -> Bot:
    """A bot on a simulator where everybody in `accounts` is ours; `configured` tells the bot so at once."""
    clock = ManualClock()
    bots: list[Bot] = []

    async def push(body: bytes) -> int:
        return await bots[0].push(body)

    simulator = create_simulator(SimulatorSettings(habits=habits or Habits()), clock=clock, push=push)
    for account in accounts:
        simulator.add_account(account, account[-1])
    for customer in (ANN, BEN):
        simulator.add_contact(customer, customer[-1])
    for room, members in rooms.items():
        simulator.add_room(room, room[-1], [m for m in members if m in (*accounts, ANN, BEN)])
    bot = Bot(
        toml,
        accounts=accounts if configured else (),
        folder=folder,
        simulator=simulator,
        transport=transport,
        clock=clock,
    )
    bots.append(bot)
    return bot


def entry(svrid: str = "1", text: str = "hi", **more: Any) -> Row:
    """A chatMsg entry: Ann in East, unless told otherwise; a value of None leaves the field out."""
    chat = more.get("chat_wxid", EAST)
    fields: Row = {
        "svrid": svrid,
        "wx_svrid": None,
        "chat_wxid": chat,
        "chat_type": 2 if chat.startswith("R:") else 1,
        "from_wxid": ANN,
        "to_wxid": chat,
        "msg_type": "text",
        "content": {"items": [{"type": "text", "text": text}]},
        "msg_time": 1_700_000_000_000,
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def callback(*entries: object, account: str = ONE, kind: str = "chatMsg") -> bytes:
    """An encrypted callback with one notification."""
    return sealed([{"type": kind, "rel_wxid": account, "data": list(entries)}])


def sealed(value: object) -> bytes:
    """Any JSON as a callback's body; bytes are taken as they are."""
    plain = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return encrypt(plain, SECRETS["RELAY_AES_KEY"].encode())


async def receive(bot: Bot, *entries: object, account: str = ONE, kind: str = "chatMsg") -> None:
    """Let the platform push entries, and nothing else happen."""
    assert await bot.push(callback(*entries, account=account, kind=kind)) == 200


async def messages(bot: Bot) -> list[Row]:
    """What was received, oldest first."""
    await bot.receiver.taken_in()
    return list(reversed(await bot.store.messages(limit=10_000)))


async def deliveries(bot: Bot) -> list[Row]:
    """What was decided, oldest first."""
    return list(reversed(await bot.store.deliveries(limit=10_000)))


async def states(bot: Bot) -> list[str]:
    """Where the deliveries stand, oldest first."""
    return [str(row["state"]) for row in await deliveries(bot)]


def said(bot: Bot, chat: str) -> list[str]:
    """The texts that people see in a chat, in order."""
    return [
        "".join(item["text"] for item in json.loads(message.content)["items"])
        for message in bot.simulator.ledger.in_chat(chat)
    ]


async def eventually(condition: Callable[[], Awaitable[object]]) -> None:
    """Give everybody a chance to run until the condition holds."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110, RUF100 - what is waited for announces itself by nothing
            await asyncio.sleep(0)


def rule(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own; its log goes nowhere."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with structlog.testing.capture_logs():
            asyncio.run(test(*args, **kwargs))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined] # what pytest reads parameters from
    return run
