"""How one request ended, and what may follow: the classes of an attempt as a table and pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from relay.store.states import AttemptOutcome, DeliveryState
from relay.store.values import Delivery, Intent, Result
from relay.wire.answers import Answer, read_sent
from relay.wire.requests import delayed_until

TOKEN_CODES = frozenset({110, 111, 112})  # one new token, one more try
CONFIGURATION_CODES = frozenset({101, 102, 103, 113, 114})  # stop sending, tell the operator
THROTTLE_CODE = 407
REFUSAL_CODES = frozenset({405, 406})

SHORTEST_REST, LONGEST_REST = 1_000, 300_000  # ms, whatever Retry-After says

_BACKOFF = (1_000, 3_000, 9_000, 27_000, 81_000, 243_000, 300_000)  # ms before the next attempt


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A request without a readable answer; `sent` says whether a byte of it may have arrived."""

    sent: bool
    error: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The class of an attempt, and the words for a person."""

    outcome: AttemptOutcome
    error: str | None = None
    code: int | None = None


def classify(answer: Answer | NoAnswer) -> Ending:
    """The class of an attempt (platform-api section 2; whatever is not certain is unknown)."""
    if isinstance(answer, NoAnswer):
        return Ending(AttemptOutcome.UNKNOWN if answer.sent else AttemptOutcome.NOT_SENT, answer.error)
    words = _words(answer)
    if answer.status == 429 or answer.errcode == THROTTLE_CODE:
        return Ending(AttemptOutcome.THROTTLED, words, answer.errcode)
    if answer.status >= 500 or answer.errcode is None:
        return Ending(AttemptOutcome.UNKNOWN, words)
    if answer.errcode == 0:
        return Ending(AttemptOutcome.TAKEN) if answer.status < 300 else Ending(AttemptOutcome.UNKNOWN, words)
    if answer.errcode in TOKEN_CODES | CONFIGURATION_CODES:
        return Ending(AttemptOutcome.NOT_EXECUTED, words, answer.errcode)
    if answer.errcode in REFUSAL_CODES:
        return Ending(AttemptOutcome.REFUSED, words, answer.errcode)
    return Ending(AttemptOutcome.UNKNOWN, words, answer.errcode)


def _words(answer: Answer) -> str:
    if answer.errcode is None:
        return f"HTTP {answer.status} without a readable errcode"
    return f"errcode {answer.errcode}: {answer.message}" if answer.message else f"errcode {answer.errcode}"


def asked_rest(answer: Answer, now: int) -> int | None:
    """Milliseconds for which the platform asks to be left alone, within bounds; None for nonsense."""
    text = answer.retry_after.strip()
    try:
        rest = (
            float(text) * 1000
            if text.isascii() and text[:1].isdigit()
            else _until(text) - _told_at(answer, now)
        )
    except (ValueError, OverflowError):
        return None
    return round(min(max(rest, SHORTEST_REST), LONGEST_REST)) if math.isfinite(rest) and rest > 0 else None


def _told_at(answer: Answer, now: int) -> float:
    """When the platform said so by its own clock, as far as it tells: that is what its dates go by."""
    try:
        return _until(answer.date)
    except (ValueError, OverflowError):
        return now


def _until(date: str) -> float:
    """An HTTP date in milliseconds; ValueError for anything else."""
    return parsedate_to_datetime(date).timestamp() * 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says of attempts; times in milliseconds."""

    max_attempts: int
    confirm_after: int
    resolve_within: int


def backoff(spent: int) -> int:
    """Milliseconds to wait after so many attempts that counted."""
    return _BACKOFF[min(max(spent, 1), len(_BACKOFF)) - 1]


def results(intents: list[Intent], answer: Answer | NoAnswer, policy: Policy, now: int) -> list[Result]:
    """What one request's end means for each delivery in it."""
    ending = classify(answer)
    if ending.outcome is AttemptOutcome.TAKEN and isinstance(answer, Answer):
        return _taken(intents, answer, policy, now)
    return [_result(intent, ending, len(intents) > 1, policy, now) for intent in intents]


def _result(intent: Intent, ending: Ending, batched: bool, policy: Policy, now: int) -> Result:
    delivery, number, outcome = intent.delivery, intent.number, ending.outcome
    if outcome is AttemptOutcome.UNKNOWN:
        return _unknown(intent, ending.error, policy, now)
    if outcome is AttemptOutcome.REFUSED and not batched:
        return Result(delivery.id, number, outcome, DeliveryState.FAILED, ending.error)
    if outcome is AttemptOutcome.REFUSED:
        return Result(
            delivery.id, number, outcome, DeliveryState.QUEUED, ending.error, spend=False, solo=True
        )
    if outcome is AttemptOutcome.NOT_SENT:
        return _not_sent(delivery, number, ending.error, policy, now)
    return Result(delivery.id, number, outcome, DeliveryState.QUEUED, ending.error, spend=False)


def _unknown(
    intent: Intent, error: str | None, policy: Policy, now: int, *, doubtful: bool = False
) -> Result:
    return Result(
        *(intent.delivery.id, intent.number, AttemptOutcome.UNKNOWN, DeliveryState.UNKNOWN, error),
        settle_at=now + policy.resolve_within,
        doubtful=doubtful,
    )


def _not_sent(delivery: Delivery, number: int, error: str | None, policy: Policy, now: int) -> Result:
    outcome = AttemptOutcome.NOT_SENT
    if delivery.spent >= policy.max_attempts:
        words = f"{error}; {delivery.spent} attempts used up"
        return Result(delivery.id, number, outcome, DeliveryState.FAILED, words)
    retry_at = now + backoff(delivery.spent)
    return Result(delivery.id, number, outcome, DeliveryState.QUEUED, error, retry_at=retry_at)


def _taken(intents: list[Intent], answer: Answer, policy: Policy, now: int) -> list[Result]:
    """errcode 0: a forward is taken; of a send, only what `data` names by idx (platform-api, fact 3)."""
    if intents[0].delivery.kind == "forward":
        return [_accepted(intent, None, policy, now) for intent in intents]
    sent = read_sent(answer)
    if all(idx in sent for idx in range(len(intents))):
        return [_accepted(intent, sent[idx] or None, policy, now) for idx, intent in enumerate(intents)]
    words = f"the platform took {len(sent)} of {len(intents)} messages"
    if len(intents) == 1:
        one = intents[0]
        return [Result(one.delivery.id, one.number, AttemptOutcome.REFUSED, DeliveryState.FAILED, words)]
    return [_unknown(intent, words, policy, now, doubtful=True) for intent in intents]


def _accepted(intent: Intent, api_send_svrid: str | None, policy: Policy, now: int) -> Result:
    return Result(
        *(intent.delivery.id, intent.number, AttemptOutcome.TAKEN, DeliveryState.ACCEPTED),
        api_send_svrid=api_send_svrid,
        settle_at=max(now, _waits_until(intent)) + policy.confirm_after,
    )


def _waits_until(intent: Intent) -> int:
    """What the platform is told to wait with can fail no earlier, so silence before means nothing."""
    return delayed_until(intent.payload) if intent.delivery.kind == "send" else 0
