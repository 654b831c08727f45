"""An outage of the platform: nothing is sent until a question that changes nothing is answered."""

from __future__ import annotations

import structlog

from relay.clock import Clock
from relay.sending.attempts import NoAnswer
from relay.sending.client import Client
from relay.sending.lanes import OUTAGE, Lanes
from relay.store.values import Pause
from relay.wire.answers import Answer

log = structlog.get_logger("relay.outage")

IN_A_ROW = 5  # requests that found nobody, or somebody who cannot: any account's, as all ask the same host
WAITS = (1_000, 2_000, 5_000, 10_000, 30_000, 60_000)  # ms before each probe


class Outage:
    """A breaker for the one host that everything is asked of."""

    def __init__(self, client: Client, lanes: Lanes, clock: Clock) -> None:
        self._client = client
        self._lanes = lanes
        self._clock = clock
        self._failures = 0
        self._probes = 0
        self._probe_at: int | None = None  #: by the steady clock; None while there is no outage

    def heard(self, answer: Answer | NoAnswer) -> list[Pause]:
        """Count what every request came to; the pause that begins with the last of too many failures."""
        error = _failure(answer)
        self._failures = 0 if error is None else self._failures + 1
        if error is None or self._failures < IN_A_ROW or self._probe_at is not None:
            return []
        self._probes = 0
        return [self._wait(error)]

    def due(self) -> bool:
        """Whether it is time to ask whether the platform is back."""
        return self._probe_at is not None and self._clock.steady() >= self._probe_at

    async def probe(self) -> list[Pause]:
        """Ask something that changes nothing; the pause that ends, or goes on for longer."""
        answer = await self._client.get("/index/serverIpList", {})
        error = _failure(answer)
        if error is not None:
            return [self._wait(error)]
        self._probe_at, self._failures = None, 0
        log.info("outage_over", probes=self._probes)
        return self._lanes.open_all()

    def _wait(self, error: str) -> Pause:
        wait = WAITS[min(self._probes, len(WAITS) - 1)]
        if not self._probes:
            log.error("outage", error=error, failures=self._failures)
        self._probes += 1
        self._probe_at = self._clock.steady() + wait
        return self._lanes.close_all(OUTAGE + error, self._clock.now() + wait, self._probes)


def _failure(answer: Answer | NoAnswer) -> str | None:
    """What says that nobody is there who could do what is asked."""
    if isinstance(answer, NoAnswer):
        return answer.error
    return f"HTTP {answer.status}" if answer.status >= 500 else None
