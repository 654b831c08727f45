"""Holds three witnesses against each other: who pushed, what is stored, and what took effect.

It knows none of relay's code and takes nothing on relay's word: `evidence.py` reads the database with plain
SQL, and the platform's side from the simulator's ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

SECOND = 1_000.0  # ms that the platform waits for an answer
MINUTE = 60_000  # ms: any stretch of it counts
PLATFORM_LIMIT = 500  # messages a minute and account, by the platform's documents

Heard = tuple[str, str]  # account and svrid
Wanted = tuple[str, str]  # kind and target


@dataclass(frozen=True, slots=True)
class Pushed:
    """One callback: what it carried, when the receiver had it, and what came of it; times in ms."""

    carried: tuple[Heard, ...]
    began: float
    ended: float
    status: int | None  #: None: no answer within the second


@dataclass(frozen=True, slots=True)
class Effect:
    """One message that a request of the bot's brought about; `request` counts requests as they arrived."""

    kind: str
    account: str
    target: str
    request: int
    time: int
    source: int | None = None  #: a forward's: the number of the message that somebody said
    place: str = ""  #: where that was said
    heard: float | None = None  #: when that was pushed to the account, if it is certain when
    delivery: int | None = None  #: None: no delivery is known to which it could belong
    attempt: int | None = None  #: a send's, by its api_send_id
    failed: bool = False  #: it reached nobody
    told: bool = False  #: its echo was answered, or its failure event where it failed


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to the platform's log, in the same count as an effect's request."""

    request: int
    time: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in the database."""

    id: int
    heard: Heard
    state: str
    own: bool  #: the bot had it said
    late: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery in the database; of no message, if it came of something else."""

    id: int
    message: int | None
    kind: str
    account: str
    target: str
    state: str
    position: int
    attempts: int
    waits: bool = False  #: it was given a delay, so that others may pass it


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt in the database."""

    delivery: int
    number: int
    account: str
    started_at: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one run, once everything has come to rest."""

    pushes: Sequence[Pushed] = ()
    effects: Sequence[Effect] = ()
    lookups: Sequence[Lookup] = ()
    messages: Sequence[Stored] = ()
    deliveries: Sequence[Delivery] = ()
    attempts: Sequence[Attempt] = ()
    dead: Sequence[tuple[float, float]] = ()  #: when the receiver did not live
    blind: Sequence[tuple[float, float]] = ()  #: when whoever pushes stood still, and could see no answer
    owed: Mapping[Heard, Counter[Wanted]] | None = None  #: what each message is to bring about
    per_minute: int = 450

    def rows(self) -> dict[str, int]:
        """How much there was to look at."""
        answered = sum(push.status is not None for push in self.pushes)
        return {
            "answered": answered,
            "stored": len(self.messages),
            "deliveries": len(self.deliveries),
            "effects": len(self.effects),
        }


class Rule(StrEnum):
    """What must hold whatever happens."""

    KEPT = "answered, so stored"
    ONCE = "stored once"
    ACTED = "stored, so acted on once"
    STATE = "in one true state"
    EFFECTS = "no effect beyond one and proven-absent retries"
    ORDER = "in order per account and target"
    CAUSE = "no effect without a cause"
    PACE = "within the pace in any 60 s"
    SECOND = "answered within the second by a live receiver"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that did not hold, and where."""

    rule: Rule
    words: str


def check(evidence: Evidence) -> list[Violation]:
    """Every violation there is."""
    return [Violation(rule, words) for rule, find in RULES.items() for words in find(evidence)]


def _kept(evidence: Evidence) -> Iterator[str]:
    stored = {message.heard for message in evidence.messages}
    for push in evidence.pushes:
        if push.status is not None:
            yield from (f"{heard} was answered and is lost" for heard in push.carried if heard not in stored)


def _once(evidence: Evidence) -> Iterator[str]:
    counted = Counter(message.heard for message in evidence.messages)
    yield from (f"{heard} is stored {times} times" for heard, times in counted.items() if times > 1)


def _acted(evidence: Evidence) -> Iterator[str]:
    if evidence.owed is None:
        return
    made: dict[int, Counter[Wanted]] = defaultdict(Counter)
    for each in evidence.deliveries:
        if each.message is None:
            continue
        made[each.message][each.kind, each.target] += 1
    for message in evidence.messages:
        owed, got = evidence.owed.get(message.heard, Counter()), made[message.id]
        # Replies, by default, are not for what was heard late.
        missing = {wanted for wanted in owed - got if not (message.late and wanted[0] == "send")}
        if missing or got - owed:
            yield f"message {message.id} led to {dict(got)}, and should to {dict(owed)}"


def _state(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        if message.state in ("waiting", "set_aside"):
            yield f"message {message.id} is {message.state}"
    of = _by_delivery(evidence.effects)
    for delivery in evidence.deliveries:
        if words := _untrue(delivery, of.get(delivery.id, [])):
            yield f"delivery {delivery.id} is {delivery.state}: {words}"


def _untrue(delivery: Delivery, effects: Sequence[Effect]) -> str | None:
    """What speaks against a delivery's state."""
    appeared = [effect for effect in effects if not effect.failed]
    if delivery.state in ("queued", "sending", "unknown", "accepted"):
        return "it never came to rest"
    if delivery.state == "delivered":
        if not effects:
            return "no request brought it about"
        # A failure event names ids, and the answer to a forward has none to compare them with.
        told = delivery.kind == "send" and all(effect.told for effect in effects)
        return "it failed, and that was told" if not appeared and told else None
    if delivery.state == "held":
        told = delivery.kind == "send" and any(effect.told for effect in appeared)
        return "its echo was told" if told else None
    return "it took effect" if appeared else None


def _effects(evidence: Evidence) -> Iterator[str]:
    groups: dict[object, list[Effect]] = defaultdict(list)
    for effect in evidence.effects:
        if not effect.failed:
            what = effect.source if effect.kind == "forward" else effect.delivery
            groups[effect.kind, what, effect.target].append(effect)
    for group in groups.values():
        for first, second in pairwise(sorted(group, key=_arrival)):
            if not _proven_absent(first, second, evidence.lookups):
                yield f"{first} and again {second}"


def _proven_absent(first: Effect, second: Effect, lookups: Iterable[Lookup]) -> bool:
    """Whether the log was asked between the two requests, when the first had not taken effect yet."""
    return any(first.request < each.request < second.request and each.time <= first.time for each in lookups)


def _order(evidence: Evidence) -> Iterator[str]:
    late = {message.id for message in evidence.messages if message.late}
    known = {delivery.id: delivery for delivery in evidence.deliveries if not delivery.waits}
    lines: dict[Heard, list[tuple[Effect, Delivery]]] = defaultdict(list)
    for effect in sorted(evidence.effects, key=_arrival):
        if effect.delivery in known:
            lines[effect.account, effect.target].append((effect, known[effect.delivery]))
    for (account, target), line in lines.items():
        for (_, before), (_, after) in pairwise(line):
            if after.position < before.position:
                yield f"{account} to {target}: delivery {after.id} after {before.id}"
        yield from _as_heard([effect for effect, each in line if each.message not in late])


def _as_heard(line: Iterable[Effect]) -> Iterator[str]:
    """What was said in one place is forwarded in the order in which it was heard from there."""
    last: dict[str, float] = {}
    for effect in line:
        if effect.heard is not None:
            if effect.heard < last.get(effect.place, 0.0):
                yield f"{effect} after what was heard later"
            last[effect.place] = effect.heard


def _cause(evidence: Evidence) -> Iterator[str]:
    deliveries = {each.id: each for each in evidence.deliveries}
    own = {message.id for message in evidence.messages if message.own}
    attempts = {(each.delivery, each.number) for each in evidence.attempts}
    for effect in evidence.effects:
        delivery = deliveries.get(effect.delivery if effect.delivery is not None else -1)
        if delivery is None or not _fits(effect, delivery):
            yield f"{effect} belongs to no delivery"
        elif delivery.message in own:
            yield f"{effect} was caused by what the bot said itself"
        elif (delivery.id, effect.attempt or delivery.attempts) not in attempts:
            yield f"{effect} went out without an intent on record"


def _fits(effect: Effect, delivery: Delivery) -> bool:
    told = (effect.kind, effect.account, effect.target)
    return told == (delivery.kind, delivery.account, delivery.target)


def _pace(evidence: Evidence) -> Iterator[str]:
    seen = ((effect.account, effect.time) for effect in evidence.effects)
    begun = ((attempt.account, attempt.started_at) for attempt in evidence.attempts)
    yield from _too_many(seen, PLATFORM_LIMIT, "took effect")
    yield from _too_many(begun, evidence.per_minute, "were begun")


def _too_many(events: Iterable[tuple[str, int]], limit: int, words: str) -> Iterator[str]:
    by_account: dict[str, list[int]] = defaultdict(list)
    for account, time in events:
        by_account[account].append(time)
    for account, times in by_account.items():
        times.sort()
        over = sum(last - first < MINUTE for first, last in zip(times, times[limit:], strict=False))
        if over:
            yield f"{account}: more than {limit} {words} within 60 s, {over} times"


def _second(evidence: Evidence) -> Iterator[str]:
    for push in evidence.pushes:
        took = push.ended - push.began
        seen = took - sum(max(0, min(push.ended, to) - max(push.began, at)) for at, to in evidence.blind)
        late = seen > SECOND or (push.status is None and seen >= took)
        if late and not any(push.began <= up and down <= push.ended for down, up in evidence.dead):
            yield f"{push.carried} was answered {push.status} after {took:.0f} ms"
        elif push.status not in (None, 200):
            yield f"{push.carried} was answered {push.status}"


def _by_delivery(effects: Iterable[Effect]) -> dict[int, list[Effect]]:
    found: dict[int, list[Effect]] = defaultdict(list)
    for effect in effects:
        if effect.delivery is not None:
            found[effect.delivery].append(effect)
    return found


def _arrival(effect: Effect) -> int:
    return effect.request


RULES: dict[Rule, Callable[[Evidence], Iterator[str]]] = {
    Rule.KEPT: _kept,
    Rule.ONCE: _once,
    Rule.ACTED: _acted,
    Rule.STATE: _state,
    Rule.EFFECTS: _effects,
    Rule.ORDER: _order,
    Rule.CAUSE: _cause,
    Rule.PACE: _pace,
    Rule.SECOND: _second,
}
