"""What a store is to do, as plain values: slow, obvious, and knowing nothing of SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from store.behaviour.called import Calls
from store.behaviour.kept import Attempt, Heard, Sent

from relay.sending.outcomes import FORWARD_WINDOW
from relay.store.states import (
    OPEN,
    AttemptOutcome,
    DeliveryKind,
    DeliveryState,
    Evidence,
    MessageState,
)
from relay.store.values import Conclusion, Result, Routing
from relay.wire.entries import Entry

EXPIRE_AFTER, CONFIRM_AFTER, RESOLVE_WITHIN = 600_000, 60_000, 30_000
HEARING_PATIENCE = 15_000  # ms in which the account that is to forward a message must have heard it too

_S = DeliveryState
NOT_EXECUTED = (
    AttemptOutcome.NOT_SENT,
    AttemptOutcome.THROTTLED,
    AttemptOutcome.NOT_EXECUTED,
    AttemptOutcome.REFUSED,
)
"""After these a second attempt cannot be a second effect."""
WENT_OUT = (_S.ACCEPTED, _S.DELIVERED)
LOST = (_S.FAILED, _S.EXPIRED, _S.DISCARDED)


class Model:
    """The inbox and the outbox, and what may become of them."""

    def __init__(self, ours: Sequence[str]) -> None:
        self.ours = ours
        self.messages: dict[int, Heard] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.acted: dict[tuple[str, str], int] = {}  #: by source, the message that was acted on
        self.deliveries: dict[int, Sent] = {}
        self.events: dict[int, tuple[Entry, int]] = {}
        self.signals: set[tuple[bool, int]] = set()  #: whether a failure event, and its number
        self.counters: Counter[str] = Counter()
        self.before: dict[int, tuple[int | None, int, int, int]] = {}  #: times by a clock that was set since
        self.begun: list[Attempt] = []  #: likewise
        self.heard: list[Heard] = []  #: likewise
        self.told: list[int] = []  #: likewise
        self.calls = Calls()
        self.positions = 0
        self.epoch = 0

    # -- the receiver ----------------------------------------------------------

    def ingest(self, entries: Iterable[Entry], now: int) -> int:
        """Keep what is new; how many that is."""
        last, place, new = max(self.messages, default=0), 0, 0
        for entry in entries:
            if entry.kind == "chatMsg":
                place += 1
                new += self._hear(entry, last + place, now, late=False)
            else:
                self.events[number := len(self.events) + 1] = entry, now
                self.signals.add((True, number))
                self.counters[f"events_total:{entry.kind}"] += 1
                new += 1
        return new

    def _hear(self, entry: Entry, number: int, now: int, *, late: bool) -> bool:
        if self.seen.setdefault((entry.account, entry.svrid), number) != number:
            self.counters["duplicates_total"] += 1
            return False
        self.messages[number] = Heard(number, entry, now, late)
        if self.is_own(entry):
            self.signals.add((False, number))
        return True

    def recover(self, entry: Entry, now: int) -> int:
        """Keep what the platform's log told, if nobody did before."""
        if (entry.account, entry.svrid) in self.seen:
            return 0
        self.counters["messages_recovered_total"] += 1
        return self._hear(entry, max(self.messages, default=0) + 1, now, late=True)

    def is_own(self, entry: Entry) -> bool:
        """Whether one of our accounts said it."""
        return entry.sender in self.ours or bool(entry.api_send_id or entry.api_send_svrid)

    # -- the router ------------------------------------------------------------

    def identify(self) -> list[int]:
        """Look at what is new: what is ours, or a copy of what was acted on, is for nobody."""
        passed = []
        for each in self.messages.values():
            if each.looked_at:
                continue
            each.looked_at = True
            acted = self.acted.get(source(each.entry))
            if self.is_own(each.entry) or acted is not None:
                each.state = MessageState.SKIPPED
            else:
                passed.append(each.id)
            if acted is not None and not self.is_own(each.entry):
                self._hear_at_last(each, acted)
        return passed

    def _hear_at_last(self, heard: Heard, acted: int) -> None:
        for each in self.deliveries.values():
            forward = each.kind is DeliveryKind.FORWARD and each.entry is None
            if forward and each.message == acted and each.account == heard.entry.account:
                each.entry = heard.id

    def waiting(self) -> list[int]:
        """What the router has yet to finish."""
        return [m.id for m in self.messages.values() if m.looked_at and m.state is MessageState.WAITING]

    def claim(self, ids: Iterable[int]) -> list[int]:
        """Count an attempt for what waits."""
        claimed = [each for each in ids if each in self.waiting()]
        for each in claimed:
            self.messages[each].attempts += 1
        return claimed

    def give_back(self, ids: Iterable[int]) -> None:
        """Take the attempt back."""
        for each in ids:
            if each in self.waiting():
                self.messages[each].attempts -= bool(self.messages[each].attempts)

    def finish(self, routing: Routing, now: int) -> bool:
        """Act on a message, once; every other copy of it is for nobody."""
        if routing.message not in self.waiting():
            return False
        message = self.messages[routing.message]
        message.state = routing.state
        self.counters[f"messages_{routing.state}_total"] += 1
        self.acted[source(message.entry)] = message.id
        copies = {m.entry.account: m.id for m in [*self._copies(message)[::-1], message]}
        for each in self._copies(message):
            if each.state is MessageState.WAITING:
                each.state = MessageState.SKIPPED
        self._queue(routing, message, copies, now)
        return True

    def _copies(self, message: Heard) -> list[Heard]:
        same = source(message.entry)
        alike = [m for m in self.messages.values() if m.looked_at and source(m.entry) == same]
        return [m for m in alike if not self.is_own(m.entry)]

    def _queue(self, routing: Routing, message: Heard, copies: dict[str, int], now: int) -> None:
        since = min(message.entry.time, message.received_at) if message.late else message.received_at
        first = max(self.deliveries, default=0) + 1
        for place, new in enumerate(routing.deliveries):
            self.positions += 1
            self.deliveries[first + place] = Sent(
                *(first + place, message.id, new.kind, new.account, new.target, new.body, self.positions),
                *(now + new.delay, since + EXPIRE_AFTER + new.delay, now, now),
                None if new.after is None else first + new.after,
                copies.get(new.account) if new.kind is DeliveryKind.FORWARD else None,
            )

    # -- the sender ------------------------------------------------------------

    def begin_sending(self, now: int) -> int:
        """Nobody knows what became of what was on its way."""
        for each in self.deliveries.values():
            if each.state is _S.SENDING:
                for attempt in each.attempts:
                    self._end(attempt, AttemptOutcome.UNKNOWN)
                each.move(_S.UNKNOWN, now)
                each.settle_at = now + RESOLVE_WITHIN
        self.epoch += 1
        return self.epoch

    def line(self, pair: tuple[str, str], now: int) -> list[Sent]:
        """What is open for an account and a target, in order, but for what waits for its delay or another."""
        here = [d for d in self.deliveries.values() if d.pair == pair and d.state in OPEN]
        ready = [d for d in here if d.due_at <= now and not self._waits(d)]
        return sorted(ready, key=lambda each: each.position)

    def _waits(self, each: Sent) -> bool:
        return each.after is not None and self.deliveries[each.after].state not in WENT_OUT

    def due(self, depth: int, now: int) -> list[list[int]]:
        """For each account and target, what may go out next."""
        lines = []
        for pair in sorted({each.pair for each in self.deliveries.values()}):
            ready: list[int] = []
            for each in self.line(pair, now)[:depth]:
                unheard = each.kind is DeliveryKind.FORWARD and each.entry is None
                if each.state is not _S.QUEUED or each.retry_at > now or unheard:
                    break
                ready.append(each.id)
            if ready:
                lines.append(ready)
        return lines

    def intend(self, asked: Sequence[tuple[int, int]], now: int) -> list[int]:
        """Begin those that stand as they stood when they were found."""
        begun: list[int] = []
        for number, attempts in asked:
            each = self.deliveries[number]
            if each.state is not _S.QUEUED or len(each.attempts) != attempts or each.expires_at <= now:
                continue
            self._may_begin(each, begun, now)
            each.move(_S.SENDING, now)
            each.attempts.append(Attempt(now))
            each.spent += 1
            each.retry_at = 0
            begun.append(number)
        return begun

    def _may_begin(self, each: Sent, begun: Sequence[int], now: int) -> None:
        """No second effect while the first is possible, and nothing before what was decided before it."""
        assert all(attempt.cleared for attempt in each.attempts), f"d{each.id} may take effect twice"
        before = [d for d in self.line(each.pair, now) if d.position < each.position and d.id not in begun]
        ahead = [d.id for d in before if d.state is not _S.QUEUED or not self._too_late(d, now)]
        assert not ahead, f"d{each.id} went out before d{ahead[0]}"

    def end(self, result: Result, now: int) -> None:
        """How a request ended; what moved its delivery meanwhile knew better."""
        each, attempt = self.deliveries[result.delivery], self.attempt(result.delivery, result.number)
        if self._end(attempt, result.outcome):
            attempt.svrid = result.api_send_svrid or attempt.svrid
            attempt.cleared = attempt.cleared or result.outcome in NOT_EXECUTED
        if each.state is not _S.SENDING or result.number != len(each.attempts):
            return
        each.move(result.state, now)
        by_answer = result.outcome in (AttemptOutcome.TAKEN, AttemptOutcome.REFUSED)
        settled = result.state in (_S.ACCEPTED, _S.FAILED)
        each.evidence = Evidence.ANSWER if by_answer and settled else None
        each.settle_at, each.retry_at = result.settle_at, result.retry_at
        each.solo, each.doubtful = each.solo or result.solo, result.doubtful
        each.spent -= not result.spend

    def _end(self, attempt: Attempt, outcome: AttemptOutcome) -> bool:
        """Whether it had not ended before."""
        if attempt.ended:
            return False
        attempt.ended, attempt.outcome = True, outcome
        self.counters[f"attempts_total:{outcome}"] += 1
        return True

    def attempt(self, delivery: int, number: int) -> Attempt:
        """The so-manieth request for a delivery."""
        return self.deliveries[delivery].attempts[number - 1]

    def settle_due(self, now: int) -> list[tuple[int, DeliveryState]]:
        """What time alone decides."""
        told = []
        for each in self.deliveries.values():
            if each.state is _S.ACCEPTED and each.settle_at is not None and each.settle_at <= now:
                each.move(_S.DELIVERED, now)
                each.evidence = Evidence.SILENCE if each.evidence is Evidence.ANSWER else each.evidence
        for ends, to in ((self._too_late, _S.EXPIRED), (self._lost, _S.FAILED), (self._unheard, _S.FAILED)):
            for each in [d for d in self.deliveries.values() if d.state is _S.QUEUED and ends(d, now)]:
                each.move(to, now)
                told.append((each.id, to))
        return told

    def _too_late(self, each: Sent, now: int) -> bool:
        return each.expires_at <= now

    def _lost(self, each: Sent, _: int) -> bool:
        return each.after is not None and self.deliveries[each.after].state in LOST

    def _unheard(self, each: Sent, now: int) -> bool:
        unheard = each.kind is DeliveryKind.FORWARD and each.entry is None
        return unheard and each.updated_at <= now - HEARING_PATIENCE

    def unresolved(self, now: int) -> list[int]:
        """What the log is to be asked for."""
        unknown = (d for d in self.deliveries.values() if d.state is _S.UNKNOWN)
        return [d.id for d in unknown if d.settle_at is not None and d.settle_at <= now]

    def conclude(self, concluded: Conclusion, now: int) -> bool:
        """What follows where neither echo nor log tells."""
        each = self.deliveries[concluded.delivery]
        if each.state is not _S.UNKNOWN or len(each.attempts) != concluded.number:
            return False
        if any(
            self._may_be(each, self.messages[number].entry) for failure, number in self.signals if not failure
        ):
            return False  # it came back, and nobody has judged that yet
        each.move(concluded.state, now)
        each.doubtful, each.retry_at = False, 0
        each.attempts[-1].cleared = concluded.state is _S.QUEUED
        return True

    def _may_be(self, each: Sent, entry: Entry) -> bool:
        if (entry.account, entry.chat) != each.pair:
            return False
        if each.kind is DeliveryKind.SEND:
            return entry.api_send_id.partition("-")[2].partition(".")[0] == str(each.id)
        return not (entry.api_send_id or entry.api_send_svrid)

    def note_gap(self, begins: int, ends: int) -> None:
        """Silence while nobody listened confirms nothing."""
        self.calls.gaps.append(begins)
        for each in self.deliveries.values():
            if each.state is _S.ACCEPTED and each.settle_at is not None and each.settle_at > begins:
                each.settle_at += ends - begins

    def clock_set(self, now: int) -> None:
        """What was to happen at a time up to here goes by the clock as it was, which told this time."""
        timed = self.deliveries.values()
        self.before = {d.id: (d.settle_at, d.retry_at, d.due_at, d.updated_at) for d in timed}
        began = [attempt for each in timed for attempt in each.attempts]
        self.told = [number for failure, number in self.signals if failure]
        self.begun = [each for each in began if each.started_at >= now - FORWARD_WINDOW]
        self.heard = [
            m
            for m in self.messages.values()
            if (False, m.id) in self.signals or m.state is MessageState.WAITING
        ]

    def shift(self, by: int) -> None:
        """It is noticed that the clock was set: that happens when as much time has passed."""
        for attempt in self.begun:
            attempt.started_at += by
        for message in self.heard:
            message.received_at += by
        for number in self.told:
            self.events[number] = self.events[number][0], self.events[number][1] + by
        for number, (settle_at, retry_at, due_at, updated_at) in self.before.items():
            each = self.deliveries[number]
            if each.settle_at is not None and each.settle_at == settle_at:
                each.settle_at += by
            if each.state is _S.QUEUED and each.retry_at and each.retry_at == retry_at:
                each.retry_at += by
            if each.state is _S.QUEUED and each.updated_at == updated_at:
                each.updated_at += by
            if each.state in OPEN and each.due_at == due_at:
                each.due_at, each.expires_at = each.due_at + by, each.expires_at + by

    # -- the operator ----------------------------------------------------------

    def retry(self, number: int, now: int) -> bool:
        """Last in line, as if it were new; a person has answered for a second effect."""
        each = self.deliveries.get(number)
        if each is None or each.state not in (_S.HELD, _S.FAILED, _S.EXPIRED):
            return False
        self.positions += 1
        each.position = self.positions
        each.move(_S.QUEUED, now)
        each.spent, each.spoken, each.doubtful = 0, False, False
        each.retry_at, each.due_at, each.expires_at, each.evidence = 0, now, now + EXPIRE_AFTER, None
        for attempt in each.attempts:
            attempt.cleared = True
        return True

    def discard(self, number: int, now: int) -> bool:
        """Nothing brings it back."""
        each = self.deliveries.get(number)
        if each is None or each.state not in (_S.HELD, _S.FAILED, _S.EXPIRED, _S.QUEUED):
            return False
        each.move(_S.DISCARDED, now)
        return True


def source(entry: Entry) -> tuple[str, str]:
    """What is one thing said, however many of our accounts heard it."""
    return entry.chat, entry.wx_svrid
