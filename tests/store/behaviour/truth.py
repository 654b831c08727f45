"""What an echo and a failure event mean for the model: the late truth of contract 4.6, once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from store.behaviour.kept import Attempt, Sent
from store.behaviour.model import CONFIRM_AFTER, Model

from relay.sending.outcomes import FORWARD_WINDOW, PATIENCE, read_api_send_id
from relay.store.states import AttemptOutcome, DeliveryKind, DeliveryState, Evidence
from relay.store.values import ECHO_BOUNDS
from relay.wire.content import content_of
from relay.wire.entries import Entry

CLOCKS_DIFFER = 1_000  # ms by which an echo may seem to come before its request
LOG_DELAY = 4_000  # ms after which what the log told would have been pushed
DOUBLED = "duplicate_effect_total"
_S = DeliveryState
Where = tuple[int, int]  # delivery and number of the attempt


@dataclass(frozen=True)
class Judged:
    """What a signal meant when somebody looked at it."""

    signal: tuple[bool, int]
    about: Where | None = None
    seen: tuple[DeliveryState, int] | None = None  #: the state and the attempts that it was judged by
    to: DeliveryState | None = None
    evidence: Evidence | None = None
    counter: str | None = None


def heard(model: Model, signal: tuple[bool, int]) -> tuple[Entry, int]:
    """The entry of a signal, and when it was or would have been heard."""
    failure, number = signal
    if failure:
        return model.events[number]
    message = model.messages[number]
    return message.entry, message.entry.time + LOG_DELAY if message.late else message.received_at


def judge(model: Model, signal: tuple[bool, int], origin: str, now: int) -> Judged | None:
    """None where the answer that names it may still come."""
    entry, at = heard(model, signal)
    about = _about(model, entry, at, origin)
    if about is None:
        if entry.api_send_svrid and not entry.api_send_id and now < at + PATIENCE:
            return None
        return Judged(signal, counter="failure_unmatched_total" if signal[0] else None)
    return _of_failure(model, signal, about) if signal[0] else _of_echo(model, signal, about)


def _about(model: Model, entry: Entry, at: int, origin: str) -> Where | None:
    if entry.api_send_id:
        named = read_api_send_id(entry.api_send_id, origin)
        return named if named is not None and named in _attempts(model, entry.account) else None
    if entry.api_send_svrid:
        attempts = _attempts(model, entry.account).items()
        found = [where for where, attempt in attempts if attempt.svrid == entry.api_send_svrid]
        return found[0] if len(found) == 1 else None
    fitting = [where for d in model.deliveries.values() for where in _fitting(model, d, entry, at)]
    return max(fitting) if len({number for number, _ in fitting}) == 1 and entry.sender else None


def _attempts(model: Model, account: str) -> dict[Where, Attempt]:
    mine = [d for d in model.deliveries.values() if d.account == account]
    return {(d.id, number): each for d in mine for number, each in enumerate(d.attempts, 1)}


def _fitting(model: Model, sent: Sent, entry: Entry, at: int) -> list[Where]:
    """The attempts of a forward that it may be the echo of: the last, and those that nobody knows of."""
    forward = sent.kind is DeliveryKind.FORWARD and sent.attempts
    if not forward or sent.pair != (entry.account, entry.chat):
        return []
    carried = model.messages[sent.entry or 0].entry
    if content_of(carried.raw) != content_of(entry.raw):
        return []
    last = len(sent.attempts)
    numbered = enumerate(sent.attempts, 1)
    return [(sent.id, number) for number, each in numbered if _awaited(each, at, last=number == last)]


def _awaited(attempt: Attempt, at: int, *, last: bool) -> bool:
    lost = attempt.outcome is AttemptOutcome.UNKNOWN and attempt.failure is None
    may = lost or (last and attempt.outcome in (None, AttemptOutcome.TAKEN, AttemptOutcome.UNKNOWN))
    then = at - FORWARD_WINDOW <= attempt.started_at <= at + CLOCKS_DIFFER
    return may and attempt.echo is None and then


def _of_failure(model: Model, signal: tuple[bool, int], about: Where) -> Judged:
    sent = model.deliveries[about[0]]
    seen = sent.state, len(sent.attempts)
    if model.attempt(*about).failure is not None:
        return Judged(signal, about, seen, counter="failure_repeated_total")
    if sent.state is _S.DISCARDED:
        return Judged(signal, about, seen, counter="failure_after_discard_total")
    if about[1] != len(sent.attempts):
        return Judged(signal, about, seen, counter="failure_of_earlier_attempt_total")
    return Judged(signal, about, seen, _S.FAILED, Evidence.ANSWER)


def _of_echo(model: Model, signal: tuple[bool, int], about: Where) -> Judged:
    sent, attempt = model.deliveries[about[0]], model.attempt(*about)
    seen = sent.state, len(sent.attempts)
    if attempt.failure is not None or attempt.echo is not None:
        return Judged(signal, about, seen, counter=None if attempt.failure is not None else DOUBLED)
    if sent.state is _S.DISCARDED:
        return Judged(signal, about, seen, counter="echo_after_discard_total")
    if sent.spoken:
        return Judged(signal, about, seen, counter="echo_after_failure_total")
    others = [each for each in sent.attempts if each is not attempt and each.failure is None]
    counter = DOUBLED if any(each.echo is not None for each in others) else None
    to = sent.state if sent.state in (_S.ACCEPTED, _S.DELIVERED) else _S.ACCEPTED
    evidence = Evidence.LOG if model.messages[signal[1]].late else Evidence.ECHO
    return Judged(signal, about, seen, to, evidence, counter)


def settle(model: Model, judged: Sequence[Judged], now: int) -> list[tuple[int, int]]:
    """Apply what still is as it was judged; the deliveries that took effect twice, and by which message."""
    twice = []
    for each in judged:
        if each.signal not in model.signals or (each.to is not None and not _move(model, each, now)):
            continue
        counters = {each.counter} | ({_note(model, each)} if each.about else set())
        model.counters.update(name for name in counters if name is not None)
        if DOUBLED in counters and each.about is not None:
            twice.append((each.about[0], each.signal[1]))
        model.signals.discard(each.signal)
    return twice


def _move(model: Model, judged: Judged, now: int) -> bool:
    assert judged.about is not None
    assert judged.to is not None
    sent = model.deliveries[judged.about[0]]
    if (sent.state, len(sent.attempts)) != judged.seen:
        return False
    if sent.state is not judged.to:
        sent.move(judged.to, now)
        sent.settle_at = now + CONFIRM_AFTER if judged.to is _S.ACCEPTED else None
    sent.evidence, sent.updated_at = judged.evidence, now
    sent.spoken = sent.spoken or judged.signal[0]
    return True


def _note(model: Model, judged: Judged) -> str | None:
    """Keep what was learnt of the attempt."""
    assert judged.about is not None
    attempt, (failure, number) = model.attempt(*judged.about), judged.signal
    if failure:
        attempt.failure = number if attempt.failure is None else attempt.failure
        return None
    if attempt.echo is not None:
        return DOUBLED
    attempt.echo = number
    if not model.messages[number].late:
        _time(model, max(0, model.messages[number].received_at - attempt.started_at))
    attempt.svrid = attempt.svrid or model.messages[number].entry.api_send_svrid or None
    return None


def _time(model: Model, took: int) -> None:
    under = [each for each in ECHO_BOUNDS if took <= each]
    model.counters[f"echoes_total:{under[0] if under else 'more'}"] += 1
    model.counters["echo_milliseconds_total"] += took
