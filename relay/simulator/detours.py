"""What may happen to a callback on its way into the queue: dropped, doubled, late, out of order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from relay.clock import Clock
from relay.simulator.agenda import Agenda
from relay.simulator.fault import REORDER_PATIENCE, Happening, Kind, Point
from relay.simulator.faults import Faults
from relay.simulator.ledger import Ledger, PushRecord, PushState


class Detours:
    """Asks the faults about every callback and queues it when its time has come."""

    def __init__(
        self,
        faults: Faults,
        ledger: Ledger,
        agenda: Agenda,
        clock: Clock,
        queue: Callable[[PushRecord], None],
    ) -> None:
        self._faults = faults
        self._ledger = ledger
        self._agenda = agenda
        self._clock = clock
        self._queue = queue
        self._overtaken: dict[str, list[PushRecord]] = {}

    def take(self, account: str, plaintext: bytes, targets: tuple[str, ...], *, echo: bool) -> None:
        """Put a callback on record, and send it on its way."""
        record = self._ledger.add_push(account, plaintext, self._clock.now())
        what = Happening(account, targets, push=record.number, echo=echo)
        again: list[float] = []
        way: Callable[[], None] = partial(self._pass, record)
        for standing in self._faults.strike(Point.CALLBACK, what):
            if standing.fault.kind is Kind.DUPLICATE:
                again.append(standing.fault.seconds)
            else:
                way = partial(self._stray, record, standing.fault.kind, standing.fault.seconds)
        way()
        for seconds in again:
            copy = self._ledger.add_push(account, plaintext, self._clock.now())
            self._later(seconds, partial(self._queue, copy))

    def _stray(self, record: PushRecord, kind: Kind, seconds: float) -> None:
        if kind is Kind.DROP:
            self._ledger.end_push(record, PushState.DROPPED)
        elif kind is Kind.LATE:
            self._later(seconds, partial(self._pass, record))
        else:
            self._overtaken.setdefault(record.account, []).append(record)
            self._later(seconds or REORDER_PATIENCE, partial(self._give_up, record))

    def _pass(self, record: PushRecord) -> None:
        self._queue(record)
        for overtaken in self._overtaken.pop(record.account, []):
            self._queue(overtaken)

    def _give_up(self, record: PushRecord) -> None:
        waiting = self._overtaken.get(record.account, [])
        if record in waiting:
            waiting.remove(record)
            self._queue(record)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._agenda.at(self._clock.now() + round(seconds * 1000), action)
