"""How long the platform waits for its answers, at a steady rate, while router and sender are busy.

    python -m benchmarks.answers [--quick] [--json]

`relay run` as shipped, on a platform that takes everything. Half of all messages match a rule and are
replied to, and those of forty rooms are mirrored to another. An open loop: an answer's time counts from the
moment that its push was due.
"""

from __future__ import annotations

import itertools
import sys

from benchmarks.bot import KEY, PATH, WORD, accounts, bot, rooms
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, at_most, free_port, listening, main, running
from benchmarks.load import ANSWERED, Order, push

RATES = (200, 1000)
SECONDS = 15
P99, LONGEST = 15.0, 100.0  # ms
ACCOUNTS, ROOMS, MIRRORED = 100, 200, 40

ROUTE = """
[[plugins.group_mirror.routes]]
name = "{name}"
from = ["{here}"]
to = ["{there}"]
"""


def routes() -> str:
    """What is said in some of the rooms goes to another."""
    here = rooms(ROOMS)
    pairs = zip(here[:MIRRORED], here[-MIRRORED:], strict=True)
    return "".join(ROUTE.format(name=a, here=a, there=b) for a, b in pairs)


async def measure(scale: Scale) -> list[Figure]:
    """Percentiles at each rate."""
    places = list(zip(itertools.cycle(accounts(ACCOUNTS)), rooms(ROOMS), strict=False))
    seconds = max(2, scale.of(SECONDS))
    platform = free_port()
    figures = []
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(accounts(ACCOUNTS), platform=platform, more=routes()) as made,
        made.run() as relay,
    ):
        await listening(platform, behind)
        await listening(made.public, relay)
        first = 0
        for rate, counts in ((100, 1), *((rate, seconds) for rate in RATES)):  # the first to warm up
            talk = Talk([f"the {WORD} of {{n}}", "hello {n}"], places, first=first)
            report = await push(Order(made.public, PATH, rate, counts), talk, KEY)
            first += 1_000_000
            if rate in RATES:
                figures += _figures(
                    rate, report.percentile(0.5), report.percentile(0.99), report.percentile(1)
                )
                unanswered = len(report.pushes) - report.outcomes()[ANSWERED]
                expected, kept = at_most(unanswered, 0)
                raw = {"outcomes": dict(report.outcomes()), "lag_of_the_load_ms": report.lag}
                figures.append(Figure(f"not answered at {rate:,}/s", unanswered, "", expected, kept, raw))
    return figures


def _figures(rate: int, p50: float, p99: float, longest: float) -> list[Figure]:
    limits = {"p50": None, "p99": P99, "max": LONGEST} if rate == max(RATES) else {}
    figures = []
    for word, measured in (("p50", p50), ("p99", p99), ("max", longest)):
        limit = limits.get(word)
        expected, kept = ("", True) if limit is None else at_most(measured, limit)
        figures.append(Figure(f"answer at {rate:,}/s, {word}", measured, "ms", expected, kept))
    return figures


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
