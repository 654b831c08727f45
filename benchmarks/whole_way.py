"""Callback in, keyword reply at the platform: relay beside the same job by hand on Starlette and aiohttp.

    python -m benchmarks.whole_way [--quick] [--json]

By hand: one process that decrypts, looks for the keyword and replies, and keeps nothing; a crash loses
whatever is in hand. relay: `relay run` as shipped, every callback and every intent to send synced to disk
first. Both get the same callbacks from the same load and send to the same minimal platform. No account may
send more than 500 messages a minute, so the talk is spread over 200 accounts with two rooms each; echoes are
not pushed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator

from benchmarks.bot import KEY, PATH, WORD, Bot, accounts, bot, rooms
from benchmarks.callbacks import Talk
from benchmarks.harness import (
    Figure,
    Scale,
    at_least,
    by_turns,
    free_port,
    listening,
    main,
    running,
    until,
)
from benchmarks.load import Order, push
from benchmarks.minimal_platform import ask
from benchmarks.saturation import saturate
from relay.wire.crypto import encrypt

PUSHES = 5_000
CONNECTIONS = 64
RATE = 50  # callbacks a second while latencies are measured
SECONDS = 8
RATIO = 0.7
ACCOUNTS = 200
NUMBER = f"the {WORD} of "  #: stands before the number in what is said, and so in what is replied
PLACES = list(zip(itertools.cycle(accounts(ACCOUNTS)), rooms(2 * ACCOUNTS), strict=False))


@contextlib.asynccontextmanager
async def both() -> AsyncIterator[tuple[int, Bot, int]]:
    """A platform, relay, and the same by hand, all serving: the ports of either, and the bot between them."""
    platform, by_hand = free_port(), free_port()
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(accounts(ACCOUNTS), platform=platform) as made,
        made.run() as relay,
        running("benchmarks.by_hand", "answering", str(by_hand), str(platform)) as other,
    ):
        await listening(platform, behind)
        await listening(by_hand, other)
        await listening(made.public, relay)
        yield platform, made, by_hand


async def replies(platform: int, port: int, bodies: list[bytes]) -> float:
    """Replies a second, from the first callback to the last reply; callbacks come as fast as is possible."""
    await ask(platform, "/noted")
    began = time.monotonic()
    await saturate(port, PATH, bodies, CONNECTIONS)

    async def all_there() -> bool:
        return bool(await ask(platform, "/count") >= len(bodies))

    await until(all_there, 120)
    last = max(float(at) for _, at in await ask(platform, "/noted"))
    return len(bodies) / (last - began)


async def latency(platform: int, port: int, talk: Talk) -> float:
    """Milliseconds from when a callback was due to its reply at the platform: the median at a calm rate."""
    await ask(platform, "/noted")
    offset = time.time() - time.monotonic()
    report = await push(Order(port, PATH, RATE, SECONDS), talk, KEY)

    async def all_there() -> bool:
        return bool(await ask(platform, "/count") >= len(report.pushes))

    await until(all_there, 30)
    noted = {int(text.rpartition(NUMBER)[2]): float(at) for text, at in await ask(platform, "/noted")}
    began = report.began - offset
    return statistics.median(
        (noted[talk.first + each.number] - began - each.at) * 1000 for each in report.pushes
    )


async def measure(scale: Scale) -> list[Figure]:
    """Replies a second and latencies of both sides."""
    count = scale.of(PUSHES)
    talks: Iterator[int] = itertools.count(0, 1_000_000)

    def talk() -> Talk:
        return Talk([NUMBER + "{n}"], PLACES, first=next(talks))

    def bodies(several: int) -> list[bytes]:
        return [encrypt(text, KEY) for text in itertools.islice(talk().plaintexts(), several)]

    async with both() as (platform, made, by_hand):
        for port in (made.public, by_hand):  # both are warm before the clock counts
            await replies(platform, port, bodies(400))
        rates, (ours, theirs) = await by_turns(
            scale.rounds,
            lambda: replies(platform, made.public, bodies(count)),
            lambda: replies(platform, by_hand, bodies(count)),
        )
        await asyncio.sleep(1)
        times, (our_time, their_time) = await by_turns(
            1,
            lambda: latency(platform, made.public, talk()),
            lambda: latency(platform, by_hand, talk()),
        )
    expected, held = at_least(ours / theirs, RATIO)
    return [
        Figure("replies at the platform, relay", ours, "/s", raw={"rounds": rates[0]}),
        Figure("replies at the platform, by hand", theirs, "/s", raw={"rounds": rates[1]}),
        Figure("replies: relay ÷ by hand", ours / theirs, "", expected, held),
        Figure(f"callback to reply at {RATE}/s, relay, median", our_time, "ms", raw={"rounds": times[0]}),
        Figure(f"callback to reply at {RATE}/s, by hand, median", their_time, "ms", raw={"rounds": times[1]}),
    ]


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
