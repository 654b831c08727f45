"""How long `relay run` takes until it is ready, and until it works again with 100,000 messages waiting.

    python -m benchmarks.starting [--quick] [--json]

Ready: the public door answers `/readyz` with 200. Working: a message that is pushed then has been replied to.
"""

from __future__ import annotations

import asyncio
import sys
import time

import apsw

from benchmarks.bot import KEY, PATH, WORD, Bot, accounts, bot
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, free_port, listening, main, running, until
from benchmarks.minimal_platform import ask
from benchmarks.saturation import saturate
from benchmarks.stored import fill
from relay.wire.crypto import encrypt

WAITING = 100_000
LOOK = 10.0  # seconds over which the backlog's speed is measured
ACCOUNTS = 200


async def start(made: Bot, platform: int) -> tuple[float, float, float]:
    """Seconds from the start until it is ready, and until the first reply; and messages routed a second."""
    await ask(platform, "/noted")
    chat = (accounts(1)[0], "R:19999999999999999")
    body = encrypt(next(Talk([f"the {WORD}"], [chat], first=int(time.time())).plaintexts()), KEY)
    before = _waiting(made)
    began = time.monotonic()
    with made.run() as relay:

        async def is_ready() -> bool:
            await listening(made.public, relay)
            return await _status(made.public) == 200

        await until(is_ready)
        ready = time.monotonic() - began
        await saturate(made.public, PATH, [body], 1)

        async def replied() -> bool:
            return bool(await ask(platform, "/count"))

        routed = asyncio.create_task(_routed(made, before, began))
        await until(replied, 300)
        first = (await ask(platform, "/noted"))[0][1] - began
        return ready, first, await routed


async def _routed(made: Bot, before: int, began: float) -> float:
    """Messages a second of the backlog, as far as it goes in a while."""
    if not before:
        return 0.0
    while (left := _waiting(made)) and time.monotonic() < began + LOOK:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.5)
    return (before - left) / (time.monotonic() - began)


def _waiting(made: Bot) -> int:
    if not made.database.exists():
        return 0
    connection = apsw.Connection(str(made.database))
    count = connection.execute("SELECT count(*) FROM messages WHERE state = 'waiting'").fetchall()[0][0]
    connection.close()
    return int(str(count))


async def _status(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


async def measure(scale: Scale) -> list[Figure]:
    """An empty bot, and one with a backlog."""
    platform, waiting = free_port(), scale.of(WAITING)
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(accounts(ACCOUNTS), platform=platform) as new,
        bot(accounts(ACCOUNTS), platform=platform) as full,
    ):
        await listening(platform, behind)
        fill(full, waiting, "waiting")
        ready, first, _ = await start(new, platform)
        ready_again, first_again, a_second = await start(full, platform)
    backlog = f"with {waiting:,} waiting"
    return [
        Figure("start to ready", ready, "s"),
        Figure("start to the first reply", first, "s"),
        Figure(f"start to ready {backlog}", ready_again, "s"),
        Figure(f"start to the first reply {backlog}", first_again, "s"),
        Figure(f"backlog routed in the first {LOOK:.0f} s", a_second, "/s", raw={"waiting": waiting}),
    ]


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
