"""What many rules cost: replies a second with one rule, and with 10,000 others before it.

python -m benchmarks.rules [--quick] [--json]
"""

from __future__ import annotations

import itertools
import random
import sys

from benchmarks.bot import KEY, Bot, accounts, bot
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, at_least, by_turns, free_port, listening, main, running
from benchmarks.matching import words
from benchmarks.whole_way import ACCOUNTS, NUMBER, PLACES, replies
from relay.wire.crypto import encrypt

RULES = 10_000
REPLIES = 2_500
SHARE = 0.9

RULE = """
[[plugins.keyword_reply.rules]]
name = "rule {number}"
contains = ["{first}", "{second}"]
reply = "{number}"
"""


def rules(count: int) -> str:
    """So many rules with two keywords each, none of which is in what is said here."""
    keywords = iter(words(random.Random(7), 2 * count))  # noqa: S311 - the same words every time
    return "".join(
        RULE.format(number=number, first=next(keywords), second=next(keywords)) for number in range(count)
    )


async def measure(scale: Scale) -> list[Figure]:
    """Replies a second of both, and what is left of the speed."""
    platform = free_port()
    several = scale.of(RULES)
    talk = Talk([NUMBER + "{n}"], PLACES).plaintexts()

    async def answers(made: Bot) -> float:
        bodies = [encrypt(text, KEY) for text in itertools.islice(talk, scale.of(REPLIES))]
        return await replies(platform, made.public, bodies)

    ours = accounts(ACCOUNTS)
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(ours, platform=platform) as few,
        bot(ours, platform=platform, more=rules(several)) as many,
        few.run() as one,
        many.run() as two,
    ):
        await listening(platform, behind)
        await listening(few.public, one)
        await listening(many.public, two)
        await answers(few), await answers(many)
        rounds, (with_few, with_many) = await by_turns(
            scale.rounds, lambda: answers(few), lambda: answers(many)
        )
    expected, held = at_least(with_many / with_few, SHARE)
    raw = {"one": rounds[0], "many": rounds[1]}
    return [Figure(f"replies: {several:,} rules ÷ one", with_many / with_few, "", expected, held, raw)]


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
