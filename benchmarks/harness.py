"""What the benchmarks share: processes to measure, rounds that take turns, and figures to print."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds until a process that does not begin to serve is a failure


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, what was expected, and the raw figures behind it."""

    what: str
    measured: float
    unit: str
    expected: str = ""  #: "" where nothing was promised
    kept: bool = True
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: so many rounds of each side, and this share of every load."""

    rounds: int
    share: float

    def of(self, amount: float) -> int:
        """So much of a load, one at least."""
        return max(1, round(amount * self.share))


FULL = Scale(3, 1.0)
QUICK = Scale(1, 0.2)

Measure = Callable[[Scale], Awaitable[list[Figure]]]


def at_least(measured: float, limit: float) -> tuple[str, bool]:
    """The expectation in words, and whether it is kept."""
    return f"≥ {limit:g}", measured >= limit


def at_most(measured: float, limit: float) -> tuple[str, bool]:
    """The expectation in words, and whether it is kept."""
    return f"≤ {limit:g}", measured <= limit


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    *words: str, log: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m WORDS`, ended with the block; what it says goes to `log`."""
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        process = subprocess.Popen(  # noqa: S603 - our own program, and words of our own
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """SIGTERM, and SIGKILL to what does not heed it in time."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once somebody accepts connections on the port; fail where the process ends first."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Return once the condition holds; TimeoutError after so long."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what it asks is another process
            await asyncio.sleep(0.05)


async def by_turns(
    rounds: int, *sides: Callable[[], Awaitable[float]]
) -> tuple[list[list[float]], list[float]]:
    """Measure the sides by turns, A B A B, and return each one's figures and their medians."""
    figures: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, taken in zip(sides, figures, strict=True):
            taken.append(await side())
    return figures, [statistics.median(each) for each in figures]


def show(figures: Sequence[Figure]) -> None:
    """The table for people."""
    rows = [("", "measured", "", "expected", "")]
    rows += [
        (
            f.what,
            f"{f.measured:,.2f}" if f.measured < 100 else f"{f.measured:,.0f}",
            f.unit,
            f.expected,
            _word(f),
        )
        for f in figures
    ]
    widths = [max(_width(row[column]) for row in rows) for column in range(5)]
    for what, measured, unit, expected, word in rows:
        left = f"{what}{' ' * (widths[0] - _width(what))}  {measured:>{widths[1]}} {unit:<{widths[2]}}"
        print(f"{left}  {expected:<{widths[3]}}  {word}".rstrip())


def _word(figure: Figure) -> str:
    return "" if not figure.expected else "kept" if figure.kept else "NOT KEPT"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def as_json(figures: Sequence[Figure]) -> str:
    """The same for programs."""
    return json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=1)


def options(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark can be told."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller load, one round")
    return parser


def main(measure: Measure, description: str | None) -> int:
    """Run one benchmark by itself; 1 where an expectation is not kept."""
    parser = options(description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    told = parser.parse_args()
    figures = uvloop.run(measured(measure, QUICK if told.quick else FULL))
    if told.json:
        print(as_json(figures))
    else:
        show(figures)
    return 0 if all(figure.kept for figure in figures) else 1


async def measured(measure: Measure, scale: Scale) -> list[Figure]:
    """What a benchmark found."""
    return await measure(scale)
