"""What a large past costs: the same work on an empty database and on one with 1,000,000 messages.

    python -m benchmarks.stored [--quick] [--json]

Two bots side by side, alike but for what their databases hold; callbacks that each one's receiver alone puts
into its database a second, then replies a second by all of its processes.
"""

from __future__ import annotations

import itertools
import sys
import time

import apsw

from benchmarks.bot import KEY, PATH, Bot, accounts, bot
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, at_least, by_turns, free_port, listening, main, running
from benchmarks.saturation import saturate
from benchmarks.whole_way import ACCOUNTS, NUMBER, PLACES, replies
from relay.store.migrate import migrate
from relay.wire.crypto import encrypt

STORED = 1_000_000
PUSHES, REPLIES = 10_000, 2_500
CONNECTIONS = 64
SHARE = 0.9

_NUMBERED = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT {count})"
_CHAT = "'R:' || (10950000000000000 + n % 400)"
_FILL = (
    """
    {numbered} INSERT INTO sources (id, scope, wx_svrid, acted, at)
    SELECT n, {chat}, 'old' || (5000000000000000000 + n), n, {begin} + n FROM n
    """,
    """
    {numbered} INSERT INTO messages (id, account, svrid, wx_svrid, chat, chat_type, sender, type, time,
      api_send_id, api_send_svrid, raw, received_at, state, own, source)
    SELECT n, 1688850000000000 + n % 200, 5000000000000000000 + n, 'old' || (5000000000000000000 + n),
      {chat}, 'room', '7881300000000001', 'text', {begin} + n, '', '',
      CAST('{{"svrid":"' || n || '","msg_type":"text","chat_wxid":"R:10950000000000001","content":'
        || '{{"items":[{{"type":"text","text":"what was said"}}]}},"from_wxid":"7881300000000001"}}' AS BLOB),
      {begin} + n, '{state}', iif('{state}' = 'waiting', NULL, 0),
      iif('{state}' = 'waiting', NULL, n)
    FROM n
    """,
    """
    {numbered} INSERT INTO seen
    SELECT 1688850000000000 + n % 200, 5000000000000000000 + n, n, {begin} + n FROM n ORDER BY 1, 2
    """,
    """
    {numbered} INSERT INTO traces
    SELECT n, 0, 'keyword_reply', 'the price', 'no', 'no match of contains', 0.01 FROM n
    """,
)


def fill(made: Bot, count: int, state: str = "routed") -> None:
    """Put so many messages into a new bot's database, as if they had been received long ago."""
    connection = apsw.Connection(str(made.database))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "OFF")
    migrate(connection)
    parts = _FILL if state == "routed" else _FILL[1:3]
    for part in parts:
        numbered = _NUMBERED.format(count=count)
        begin = time.time_ns() // 1_000_000 - count
        connection.execute(part.format(numbered=numbered, chat=_CHAT, state=state, begin=begin))
    connection.pragma("wal_checkpoint", "TRUNCATE")
    connection.close()


async def measure(scale: Scale) -> list[Figure]:
    """Both databases, and what is left of the speed."""
    platform = free_port()
    stored = scale.of(STORED)
    texts = Talk(["hello {n}"], PLACES).plaintexts()
    asked = Talk([NUMBER + "{n}"], PLACES, first=50_000_000).plaintexts()

    def bodies(of: itertools.islice[bytes]) -> list[bytes]:
        return [encrypt(text, KEY) for text in of]

    async def accepts(made: Bot) -> float:
        count = scale.of(PUSHES)
        all_there = made.received() + count
        seconds = await saturate(made.public, PATH, bodies(itertools.islice(texts, count)), CONNECTIONS)
        return count / (seconds + await made.taken_in(all_there))

    async def answers(made: Bot) -> float:
        return await replies(platform, made.public, bodies(itertools.islice(asked, scale.of(REPLIES))))

    ours = accounts(ACCOUNTS)
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(ours, platform=platform) as empty,
        bot(ours, platform=platform) as full,
    ):
        fill(full, stored)
        await listening(platform, behind)
        with empty.run("receiver") as one, full.run("receiver") as two:
            await listening(empty.public, one)
            await listening(full.public, two)
            await accepts(empty), await accepts(full)
            kept, (kept_empty, kept_full) = await by_turns(
                scale.rounds, lambda: accepts(empty), lambda: accepts(full)
            )
        _forget_waiting(empty)
        _forget_waiting(full)
        with empty.run() as one, full.run() as two:
            await listening(empty.public, one)
            await listening(full.public, two)
            await answers(empty), await answers(full)
            said, (said_empty, said_full) = await by_turns(
                scale.rounds, lambda: answers(empty), lambda: answers(full)
            )
    return [
        _share(f"callbacks taken in: {stored:,} stored ÷ none", kept_full / kept_empty, kept),
        _share(f"replies: {stored:,} stored ÷ none", said_full / said_empty, said),
    ]


def _forget_waiting(made: Bot) -> None:
    """What was only to be kept need not be routed."""
    connection = apsw.Connection(str(made.database))
    connection.execute(
        "UPDATE messages SET state = 'skipped', own = 0, reason = 'bench' WHERE state = 'waiting'"
    )
    connection.close()


def _share(what: str, ratio: float, rounds: list[list[float]]) -> Figure:
    expected, held = at_least(ratio, SHARE)
    return Figure(what, ratio, "", expected, held, {"none": rounds[0], "stored": rounds[1]})


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
