"""Push callbacks at a steady rate, however long the answers take: an open loop, as the platform is one.

    python -m benchmarks.load < order.json      prints what became of each push, as JSON

An answer's time counts from the moment its push was due, so that a receiver that stalls cannot hide
what waited meanwhile. The order's fields are those of `Order` and `Talk`; the key is hexadecimal.
SIGTERM ends it early, with what it has pushed until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks.callbacks import Talk, encrypted

ANSWERED, REFUSED, CUT, TIMED_OUT = "answered", "refused", "cut", "timed out"
PATIENCE = 10.0  # seconds that a push waits for its answer; the platform's is one
MOST_KEPT = 256  # connections that wait for a push; without end, they would be all that the receiver may have
LEAD = 0.2  # seconds between the last preparation and the first push
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Order:
    """Where to push, how many a second, how long; every `fresh`-th push connects anew (0: if it must)."""

    port: int
    path: str
    rate: float
    seconds: float
    host: str = "127.0.0.1"
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one push: `at` seconds after the start it was due, and ended `ms` later."""

    number: int
    at: float
    ms: float
    outcome: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Every push in the order that they were due; `lag` is how late the load itself was at worst, in ms."""

    pushes: Sequence[Pushed]
    lag: float
    began: float  #: seconds since 1970

    def outcomes(self) -> Counter[str]:
        """How many ended in which way; an answer counts by its status where that is not 200."""
        return Counter(p.outcome if p.status in (0, 200) else str(p.status) for p in self.pushes)

    def percentile(self, share: float) -> float:
        """The time within which this share of all pushes was over, in ms."""
        ordered = sorted(push.ms for push in self.pushes)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    def late(self, ms: float = 1000.0) -> list[Pushed]:
        """The pushes that were not answered within so long."""
        return [push for push in self.pushes if push.outcome != ANSWERED or push.ms > ms]


class _Connection(asyncio.Protocol):
    """One kept connection, with one request on it at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.push: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def begin(self, number: int, due: float, request: bytes) -> None:
        """Send one push."""
        self.push = (number, due)
        if self.transport is None:  # it was lost before it was used
            self._end(CUT)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = bytes(self._answer).partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._answer.clear()
        self._end(ANSWERED, int(head[9:12]))
        if b"connection: close" in head.lower():
            self.close()
        else:
            self._load.keep(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(CUT)
        self.transport = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None

    def expire(self, number: int) -> None:
        """Give up the push that waits still."""
        if self.push is not None and self.push[0] == number:
            self._end(TIMED_OUT)
            self.close()

    def _end(self, outcome: str, status: int = 0) -> None:
        if self.push is not None:
            number, due = self.push
            self.push = None
            self._load.ended(number, due, outcome, status)


async def _until(due: float) -> float:
    """Wait for a moment of the loop's clock, and return by how many seconds it was missed."""
    early = due - asyncio.get_running_loop().time()
    if early > 0:
        await asyncio.sleep(early)
    return asyncio.get_running_loop().time() - due


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0] or 0)


class Load:
    """One run of one order."""

    def __init__(self, order: Order, bodies: Sequence[bytes]) -> None:
        self._order = order
        self._bodies = bodies
        self._pushes: list[Pushed | None] = [None] * len(bodies)
        self._open = 1  # until the last is on its way
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start = 0.0
        self.free: deque[_Connection] = deque()

    async def run(self) -> Report:
        """Push every body when it is due, and wait for what became of them."""
        self._start = asyncio.get_running_loop().time() + LEAD
        began = time.time() + LEAD
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        lag = 0.0
        for number in range(len(self._bodies)):
            due = self._start + number / self._order.rate
            lag = max(lag, await _until(due))
            if stopped.is_set():
                break
            self._open += 1
            self._push(number, due)
        self._close()
        await self._over.wait()
        for each in self.free:
            each.close()
        return Report([push for push in self._pushes if push is not None], lag * 1000, began)

    def _push(self, number: int, due: float) -> None:
        fresh = self._order.fresh and number % self._order.fresh == 0
        while self.free and not fresh:
            connection = self.free.popleft()
            if connection.transport is not None and not connection.transport.is_closing():
                self._begin(connection, number, due)
                return
        task = asyncio.ensure_future(self._connect(number, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, number: int, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), self._order.host, self._order.port
                )
        except TimeoutError:
            self.ended(number, due, TIMED_OUT, 0)
        except OSError:
            self.ended(number, due, REFUSED, 0)
        else:
            self._begin(connection, number, due)

    def _begin(self, connection: _Connection, number: int, due: float) -> None:
        body = self._bodies[number]
        head = f"POST {self._order.path} HTTP/1.1\r\nHost: bot\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.begin(number, due, head.encode() + body)
        asyncio.get_running_loop().call_later(PATIENCE, connection.expire, number)

    def keep(self, connection: _Connection) -> None:
        """Have it for a later push, in place of another where there are many."""
        self.free.append(connection)
        if len(self.free) > MOST_KEPT:
            self.free.popleft().close()

    def ended(self, number: int, due: float, outcome: str, status: int) -> None:
        """Note what became of a push."""
        took = (asyncio.get_running_loop().time() - due) * 1000
        self._pushes[number] = Pushed(number, due - self._start, took, outcome, status)
        self._close()

    def _close(self) -> None:
        self._open -= 1
        if not self._open:
            self._over.set()


async def push(order: Order, talk: Talk, key: bytes, enough: asyncio.Event | None = None) -> Report:
    """Push a talk from a process of its own, so that neither side's work delays the other's clock.

    It ends early when there is `enough`.
    """
    told = {"order": asdict(order), "talk": asdict(talk), "key": key.hex()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    ending = asyncio.create_task(_end(process, enough or asyncio.Event()))
    out, _ = await process.communicate(json.dumps(told).encode())
    ending.cancel()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    said = json.loads(out)
    return Report([Pushed(*row) for row in said["pushes"]], said["lag"], said["began"])


async def _end(process: asyncio.subprocess.Process, enough: asyncio.Event) -> None:
    await enough.wait()
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def main() -> None:
    """Read an order from standard input, and print its report."""
    told: dict[str, Any] = json.load(sys.stdin)
    order = Order(**told["order"])
    bodies = encrypted(Talk(**told["talk"]), round(order.rate * order.seconds), bytes.fromhex(told["key"]))
    report = uvloop.run(_run(order, bodies))
    rows = [[p.number, p.at, p.ms, p.outcome, p.status] for p in report.pushes]
    json.dump({"pushes": rows, "lag": report.lag, "began": report.began}, sys.stdout)


async def _run(order: Order, bodies: Sequence[bytes]) -> Report:
    return await Load(order, bodies).run()


if __name__ == "__main__":
    main()
