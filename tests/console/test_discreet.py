"""A running bot tells no secret to anybody: log, answers, metrics, commands, process list, database (4.9)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from bots import rule
from processes.live import CUSTOMER, LiveBot, platform, rooms, until

from relay.console.operations import OPERATIONS, Operation
from relay.testing import SECRETS

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]
KEY = {"authorization": f"Bearer {SECRETS['RELAY_CONSOLE_PASSWORD']}"}
GUESS = {"authorization": "Bearer a-wrong-guess-of-somebody"}
LINE = {"text": "words that somebody tries", "chat": rooms(0)[0], "sender": CUSTOMER}
SAID = "the words of a customer"
BODIES = (b"", b"\xff" * 300, b"AAAA" * 64, b"{}", b"[" * 5000, b'[{"type": "chatMsg", "data": 1}]')
MALFORMED = (
    b"POST %s HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
    b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"%s\r\n\r\n",
)


async def received(bot: LiveBot) -> bool:
    """Whether the customer's words are on disk."""
    url = f"http://127.0.0.1:{bot.private}/api/messages"
    async with aiohttp.ClientSession() as session, session.get(url, headers=KEY) as answer:
        return bool(await answer.json())


async def good_and_bad_requests(bot: LiveBot) -> list[str]:
    """All sorts of requests at both doors, all at once; what was answered."""
    mistaken = f"/api/status?password={KEY['authorization'][7:]}"
    doors = ((bot.public, PATH), (bot.private, mistaken))
    raw = [_raw(port, request % secret.encode()) for port, secret in doors for request in MALFORMED]
    async with aiohttp.ClientSession() as session:
        posts = [
            _ask(session, "POST", f"http://127.0.0.1:{bot.public}{PATH}", data=body, headers={})
            for body in BODIES
        ]
        asked = [
            _ask(session, each.method, _address(bot, each), headers=headers, json=LINE)
            for headers in (KEY, {}, GUESS, {**KEY, "host": "evil.test"})
            for each in OPERATIONS
        ]
        return await asyncio.gather(*raw, *posts, *asked)


def _address(bot: LiveBot, operation: Operation) -> str:
    return f"http://127.0.0.1:{bot.private}{operation.path.replace('{id}', '1')}"


async def _ask(session: aiohttp.ClientSession, method: str, url: str, **request: Any) -> str:
    async with session.request(method, url, **request) as answer:
        return f"{answer.headers} {await answer.text()}"


async def _raw(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request + b"Authorization: %s\r\n\r\n" % KEY["authorization"].encode())
    try:
        async with asyncio.timeout(1):
            return (await reader.read()).decode("latin-1")
    except TimeoutError:
        return ""
    finally:
        writer.close()


def command_lines() -> str:
    """What everybody on this machine can read of every process."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(each.read_text("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(found)


async def commands(bot: LiveBot) -> str:
    """What commands print, one that fails included."""
    asked = [("status", "--json"), ("explain", "m999")]
    return "".join(await asyncio.gather(*(_command(bot, *words) for words in asked)))


async def _command(bot: LiveBot, *words: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay", *words, "--config", str(bot.config)),
        env=bot.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return (await child.communicate())[0].decode()


def files_of(bot: LiveBot) -> dict[str, str]:
    """What the bot wrote: its log, and its database with all that lies beside it."""
    log = (bot.folder / "bot.log").read_text("utf-8")
    beside = (path for path in bot.folder.rglob("*") if "relay.db" in str(path) and path.is_file())
    database = (path.read_bytes().decode("latin-1") for path in beside)
    return {"log": log, "database": "".join(database)}


@pytest.mark.skipif(sys.platform != "linux", reason="the process list is read from /proc")
@rule
async def test_no_secret_is_told_anywhere(tmp_path: Path) -> None:
    async with platform(tmp_path) as (simulator, bot):
        await bot.start()
        simulator.say(rooms(0)[0], CUSTOMER, SAID)
        await until(lambda: received(bot))
        answers = asyncio.create_task(good_and_bad_requests(bot))
        told = {"commands": await commands(bot), "process list": command_lines()}
        told["answers"] = "\n".join(await answers)
        assert await bot.stop() == 0
    told |= files_of(bot)
    assert "console_refused" in told["log"]
    assert "relay_inbox_waiting" in told["answers"]
    leaks = [
        (where, name) for where, text in told.items() for name, secret in SECRETS.items() if secret in text
    ]
    assert leaks == []
    for words in (SAID, LINE["text"], GUESS["authorization"][7:]):
        assert words not in told["log"] + told["commands"] + told["process list"]
