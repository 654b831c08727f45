"""How much memory each process of `relay run` takes, idle and after a load; on Linux only.

    python -m benchmarks.memory [--quick] [--json]

RSS counts what a process has in memory; PSS divides what several share among them, so that it adds up.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from benchmarks.bot import KEY, accounts, bot
from benchmarks.callbacks import Talk
from benchmarks.harness import Figure, Scale, at_most, free_port, listening, main, running
from benchmarks.whole_way import ACCOUNTS, NUMBER, PLACES, replies
from relay.wire.crypto import encrypt

PUSHES = 10_000
MOST = 70.0  # MB of RSS
MB = 1024  # kB

ROLES = {"supervisor", "receiver", "router", "sender", "console", "forks"}


def roles(supervisor: int) -> dict[str, int]:
    """The process of each role, and the supervisor's."""
    found = {"supervisor": supervisor}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            name = (process / "comm").read_text().strip()
        except OSError:  # it has ended meanwhile
            continue
        if parent == supervisor and name.startswith("relay "):
            found[name.removeprefix("relay ")] = int(process.name)
    if missing := ROLES - set(found):
        raise RuntimeError(f"these do not run: {', '.join(sorted(missing))}")
    return found


def taken(pid: int) -> tuple[float, float]:
    """RSS and PSS, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split(":")[0]: line.split() for line in rollup.splitlines()[1:]}
    return int(sizes["Rss"][1]) / MB, int(sizes["Pss"][1]) / MB


def _figures(when: str, processes: dict[str, int]) -> list[Figure]:
    figures = []
    for role, pid in processes.items():
        rss, pss = taken(pid)
        expected, kept = at_most(rss, MOST)
        figures.append(Figure(f"memory of {role}, {when}", rss, "MB RSS", expected, kept, {"pss": pss}))
    return figures


async def measure(scale: Scale) -> list[Figure]:
    """Every role, twice."""
    if sys.platform != "linux":
        return []
    platform = free_port()
    texts = Talk([NUMBER + "{n}"], PLACES).plaintexts()
    bodies = [encrypt(text, KEY) for text in itertools.islice(texts, scale.of(PUSHES))]
    with (
        running("benchmarks.minimal_platform", str(platform)) as behind,
        bot(accounts(ACCOUNTS), platform=platform) as made,
        made.run() as relay,
    ):
        await listening(platform, behind)
        await listening(made.public, relay)
        await listening(made.private, relay)
        await asyncio.sleep(3)
        processes = roles(relay.pid)
        figures = _figures("idle", processes)
        await replies(platform, made.public, bodies)
        return figures + _figures(f"after {len(bodies):,} callbacks", processes)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
