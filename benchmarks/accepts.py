"""How many encrypted callbacks a second are kept on disk, beside an endpoint that only parses JSON.

    python -m benchmarks.accepts [--quick] [--json]

Both sides: one process, uvicorn on uvloop, the same messages over the same number of connections, each
sending the next one once the last is answered. relay gets them encrypted, and answers once they are synced
in its journal; it opens them and takes them into the database behind the answer, so the second figure counts
until the last of them is there.
"""

from __future__ import annotations

import itertools
import statistics
import sys

from benchmarks.bot import KEY, PATH, accounts, bot, rooms
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, at_least, by_turns, free_port, listening, main, running
from benchmarks.saturation import saturate
from relay.wire.crypto import encrypt

PUSHES = 20_000
CONNECTIONS = 64
RATIO = 1.0


async def measure(scale: Scale) -> list[Figure]:
    """Accepts a second of both sides, and their ratio."""
    ours = accounts(1)
    count = scale.of(PUSHES)
    texts = iter(Talk(["hello {n}"], [(ours[0], room) for room in rooms(50)]).plaintexts())
    port = free_port()
    taken_in: list[float] = []
    with (
        bot(ours) as made,
        made.run("receiver") as relay,
        running("benchmarks.by_hand", "bare", str(port)) as bare,
    ):
        await listening(made.public, relay)
        await listening(port, bare)

        async def kept() -> float:
            bodies = [encrypt(text, KEY) for text in itertools.islice(texts, count)]
            all_there = made.received() + count
            seconds = await saturate(made.public, PATH, bodies, CONNECTIONS)
            taken_in.append(count / (seconds + await made.taken_in(all_there)))
            return count / seconds

        async def parsed() -> float:
            return count / await saturate(port, PATH, list(itertools.islice(texts, count)), CONNECTIONS)

        await kept()  # both are warm before the clock counts
        await parsed()
        taken_in.clear()
        rounds, (ours_a_second, bare_a_second) = await by_turns(scale.rounds, kept, parsed)
    ratio = ours_a_second / bare_a_second
    expected, held = at_least(ratio, RATIO)
    return [
        Figure("encrypted callbacks kept on disk", ours_a_second, "/s", raw={"rounds": rounds[0]}),
        Figure(
            "the same, until they are in the database",
            statistics.median(taken_in),
            "/s",
            raw={"rounds": taken_in},
        ),
        Figure(
            "bare Starlette endpoint that parses the same JSON",
            bare_a_second,
            "/s",
            raw={"rounds": rounds[1]},
        ),
        Figure("accepts: relay ÷ bare", ratio, "", expected, held),
    ]


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
