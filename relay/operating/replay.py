"""What another configuration makes of messages that were received, beside what was made of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from relay.authoring.message import Message
from relay.clock import SystemClock
from relay.config import Config
from relay.operating.rehearsal import decisions_of
from relay.routing.pipeline import Pipeline
from relay.routing.received import message_of
from relay.store.protocol import Row
from relay.store.sqlite.rehearsing import RehearsedStore
from relay.store.states import DeliveryKind
from relay.store.values import NewDelivery, StoredMessage

ANSWERED, PASSED_ON = "answered", "passed_on"
MORE, FEWER, DIFFERENTLY = "more", "fewer", "differently"

Failures = Mapping[tuple[str, str], int]
"""How often which plugin failed of what."""


class PastClock(SystemClock):
    """Shows the time at which a message was received; all else passes as ever."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    def now(self) -> int:
        return self.at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came, or would come, of one message, where anything does."""

    message: int
    chat: str
    deliveries: tuple[NewDelivery, ...]


class Replay:
    """Takes stored messages through a pipeline, each at its own time and after those before it."""

    def __init__(self, config: Config, store: RehearsedStore, pipeline: Pipeline, clock: PastClock) -> None:
        self._zone = config.bot.zone
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self.failures: Counter[tuple[str, str]] = Counter()

    async def take(self, stored: StoredMessage) -> Outcome | None:
        """What would come of it; None for nothing. Whatever plugins remember of it is found by the next."""
        self._clock.at = stored.received_at
        message: Message = message_of(stored, self._zone)
        routing = await self._pipeline.run(stored.id, message, dry_run=True)
        await self._store.remember(routing)
        self._pipeline.stored(routing)
        for line in routing.trace:
            if line.decision == "error":
                self.failures[line.plugin, line.reason] += 1
        return Outcome(stored.id, stored.chat, routing.deliveries) if routing.deliveries else None


@dataclass(slots=True)
class _Tally:
    """How many messages changed in one way, and in which chats."""

    messages: int = 0
    chats: set[str] = field(default_factory=set)

    def add(self, chat: str) -> None:
        self.messages += 1
        self.chats.add(chat)

    def told(self) -> Row:
        return {"messages": self.messages, "chats": len(self.chats)}


class Comparison:
    """Two outcomes of each message, counted, and those that differ kept: all, or the last `most`."""

    def __init__(self, most: int | None = None) -> None:
        self.messages = 0
        self.changed = 0
        self.differences: deque[Row] = deque(maxlen=most)
        self._tallies = {
            what: {how: _Tally() for how in (MORE, FEWER, DIFFERENTLY)} for what in (ANSWERED, PASSED_ON)
        }

    def add(self, ids: Iterable[int], before: Iterable[Outcome], after: Iterable[Outcome]) -> None:
        """Compare what came of these messages; what is not there came to nothing."""
        old, new = ({each.message: each for each in outcomes} for outcomes in (before, after))
        for message in ids:
            self.messages += 1
            if message in old or message in new:
                self._compare(old.get(message), new.get(message))

    def _compare(self, before: Outcome | None, after: Outcome | None) -> None:
        known = before or after
        assert known is not None  # noqa: S101 - one of them is there
        old, new = (each.deliveries if each else () for each in (before, after))
        if _effects(old) == _effects(new):
            return
        self.changed += 1
        for what, reached in ((ANSWERED, True), (PASSED_ON, False)):
            parts = [[d for d in each if _answers(d, known.chat) is reached] for each in (old, new)]
            if _effects(parts[0]) != _effects(parts[1]):
                how = MORE if not parts[0] else FEWER if not parts[1] else DIFFERENTLY
                self._tallies[what][how].add(known.chat)
        self.differences.append(
            {"message_id": f"m{known.message}", "before": decisions_of(old), "after": decisions_of(new)}
        )

    def summary(self) -> Row:
        """How many messages changed in which way, in how many chats."""
        return {
            what: {how: tally.told() for how, tally in hows.items()} for what, hows in self._tallies.items()
        }


def _answers(delivery: NewDelivery, chat: str) -> bool:
    """Whether it goes back to where the message was said."""
    return delivery.kind is DeliveryKind.SEND and delivery.target == chat


def _effects(deliveries: Iterable[NewDelivery]) -> list[tuple[str, str, str, bytes, int]]:
    """What people would notice: by which rule it came is nothing of that."""
    return sorted((d.kind, d.account, d.target, d.body or b"", d.delay) for d in deliveries)


def as_stored(outcome: Outcome) -> Outcome:
    """The same without its delays, which nobody kept of what was decided then."""
    plain = tuple(
        NewDelivery(d.plugin, d.rule, d.ordinal, d.kind, d.account, d.target, d.body)
        for d in outcome.deliveries
    )
    return Outcome(outcome.message, outcome.chat, plain)


def failures_told(failures: Failures) -> list[Row]:
    """Those first that happened most."""
    ranked = sorted(failures.items(), key=lambda each: -each[1])
    return [{"plugin": plugin, "reason": reason, "messages": times} for (plugin, reason), times in ranked]


def outcomes_then(
    messages: Sequence[StoredMessage], decided: Mapping[int, Sequence[NewDelivery]]
) -> list[Outcome]:
    """What was decided about these messages when they came."""
    return [Outcome(each.id, each.chat, tuple(decided[each.id])) for each in messages if each.id in decided]
