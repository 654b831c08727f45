"""What an echo or a failure event means for a delivery: pure judgement over what the store knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.store.states import DeliveryState, Evidence
from relay.store.values import Signal, Tracked, Verdict
from relay.wire.content import content_of, same_content
from relay.wire.entries import failure_reason

PATIENCE = 60_000  # ms that a signal waits for the answer that names its api_send_svrid
FORWARD_WINDOW = 600_000  # ms after its start in which a forward's echo is looked for

_S = DeliveryState
_API_SEND_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})\.([0-9]{1,9})")
_REVIVED_BY_ECHO = frozenset({_S.SENDING, _S.UNKNOWN, _S.QUEUED, _S.HELD, _S.EXPIRED, _S.FAILED})


def api_send_id(origin: str, delivery: int, number: int) -> str:
    """The id by which an attempt is known to the platform; `origin` is this database's mark."""
    return f"{origin}-{delivery}.{number}"


def read_api_send_id(text: str, origin: str) -> tuple[int, int] | None:
    """Delivery and attempt that an id of ours names; None for ids of others."""
    found = _API_SEND_ID.fullmatch(text)
    return (int(found[2]), int(found[3])) if found and found[1] == origin else None


def unmatched(signal: Signal, now: int) -> Verdict | None:
    """A signal that fits no delivery: None while the answer that names it may still come."""
    if signal.api_send_svrid and now < signal.received_at + PATIENCE:
        return None
    return Verdict(signal, counter="failure_unmatched_total" if signal.failure else None)


def judge_failure(signal: Signal, tracked: Tracked) -> Verdict:
    """A failure event fails the attempt that it speaks of; the delivery too, if no later attempt was made."""
    if tracked.failed:
        return Verdict(signal, tracked, counter="failure_repeated_total")
    if tracked.state is _S.DISCARDED:
        return Verdict(signal, tracked, counter="failure_after_discard_total")
    if tracked.number != tracked.attempts:
        return Verdict(signal, tracked, counter="failure_of_earlier_attempt_total")
    reason = failure_reason(signal.raw)
    words = f"failure event: {reason}" if reason else "failure event"
    return Verdict(signal, tracked, _S.FAILED, Evidence.ANSWER, words)


def judge_echo(signal: Signal, tracked: Tracked) -> Verdict:
    """An echo shows that its attempt took effect, unless a failure event spoke of that attempt."""
    if tracked.failed:
        return Verdict(signal, tracked)
    if tracked.echo is not None:
        return Verdict(signal, tracked, counter="duplicate_effect_total")
    if tracked.state is _S.DISCARDED:
        return Verdict(signal, tracked, counter="echo_after_discard_total")
    if tracked.spoken:
        return Verdict(signal, tracked, counter="echo_after_failure_total")
    counter = "duplicate_effect_total" if tracked.other is not None else None
    state = _S.ACCEPTED if tracked.state in _REVIVED_BY_ECHO else tracked.state
    evidence = Evidence.LOG if signal.late else Evidence.ECHO
    return Verdict(signal, tracked, state, evidence, None, counter)


def fitting_forward(signal: Signal, candidates: Sequence[Tracked]) -> Tracked | None:
    """The one forward whose content came back; two that fit are one too many to be sure.

    Of its attempts the last one that has not come back: what comes after that is a doubled effect.
    """
    content = content_of(signal.raw)
    fitting = [each for each in candidates if same_content(content_of(each.entry), content)]
    one = len({each.id for each in fitting}) == 1
    return max(fitting, key=lambda each: each.number) if one else None
