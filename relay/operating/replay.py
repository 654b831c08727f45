"""What another configuration makes of messages that were received, beside what was made of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from relay.authoring.message import Message
from relay.clock import SystemClock
from relay.config import Config
from relay.operating.rehearsal import decisions_of
from relay.routing.audience import Audience
from relay.routing.pipeline import Pipeline
from relay.routing.received import message_of
from relay.store.occasions import Handled, Occasion, OccasionKind, Question
from relay.store.protocol import Row
from relay.store.sqlite.rehearsing import RehearsedStore
from relay.store.states import DeliveryKind
from relay.store.values import NewDelivery, Routing, StoredMessage

ANSWERED, PASSED_ON, AFTERWARDS = "answered", "passed_on", "afterwards"
SAID, TIMED_OUT = "message", "timeout"
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
    because: str = SAID  #: what was said, or that a question which it led to waited in vain


class Replay:
    """Takes stored messages through a pipeline, each at its own time and after those before it."""

    def __init__(self, config: Config, store: RehearsedStore, pipeline: Pipeline, clock: PastClock) -> None:
        self._zone = config.bot.zone
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._audience = Audience(pipeline, store, dry_run=True)
        self.failures: Counter[tuple[str, str]] = Counter()

    @property
    def talks(self) -> bool:
        """Whether a question may wait for its answer."""
        return self._pipeline.talks

    async def over(self, moment: int, said: StoredMessage | None = None) -> Occasion | None:
        """The next time-out until this moment; not of a question that is answered by what is said now."""
        question = await self._store.over(moment, said)
        while question is not None and not question.on_timeout:
            question = await self._store.over(moment, said)
        return None if question is None else _timeout(question)

    async def time_out(self, occasion: Occasion) -> Outcome | None:
        """What would come of a question that waited in vain, at the end of its time; None for nothing."""
        self._clock.at = occasion.at
        handled = await self._audience.hear(occasion, occasion.at)
        await self._keep(handled)
        if occasion.message is None or not handled.deliveries:
            return None
        return Outcome(occasion.message, occasion.chat, handled.deliveries, TIMED_OUT)

    async def _keep(self, routing: Routing | Handled) -> None:
        await self._store.remember(routing)
        self._pipeline.stored(routing)
        for line in routing.trace:
            if line.decision == "error":
                self.failures[line.plugin, line.reason] += 1

    async def take(self, stored: StoredMessage) -> Outcome | None:
        """What would come of it; None for nothing. Whatever plugins remember of it is found by the next."""
        self._clock.at = stored.received_at
        message: Message = message_of(stored, self._zone)
        routing = await self._pipeline.run(stored.id, message, dry_run=True)
        await self._keep(routing)
        return Outcome(stored.id, stored.chat, routing.deliveries) if routing.deliveries else None


def _timeout(question: Question) -> Occasion:
    """The end of a question's time, as the live bot would queue it."""
    return Occasion(
        question.id,
        OccasionKind.TIMEOUT,
        question.plugin,
        question.on_timeout,
        subject=question.id,
        became="",
        depth=0,
        account=question.account,
        chat=question.chat,
        sender=question.sender,
        message=question.message,
        detail={"since": question.since, "until": question.until, "ear": question.ear},
        at=question.until,
    )


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
    """Two outcomes of each message, counted, and those that differ kept: all, or the last `most`.

    `delays` says whether these are known of both: nobody kept them of what was decided then.
    """

    def __init__(self, most: int | None = None, *, delays: bool = True) -> None:
        self._delays = delays
        self.messages = 0
        self.changed = 0
        self._most = most
        self._differences: deque[Row] = deque(maxlen=most)
        self._afterwards: list[Row] = []
        self._tallies = {
            what: {how: _Tally() for how in (MORE, FEWER, DIFFERENTLY)}
            for what in (ANSWERED, PASSED_ON, AFTERWARDS)
        }

    @property
    def differences(self) -> list[Row]:
        """Those that differ, in the order of the messages that they are about."""
        found = sorted(
            (*self._differences, *self._afterwards), key=lambda row: int(str(row["message_id"])[1:])
        )
        return found if self._most is None else found[-self._most :]

    def add(self, ids: Iterable[int], before: Iterable[Outcome], after: Iterable[Outcome]) -> None:
        """Compare what came of these messages; what is not there came to nothing."""
        old, new = ({each.message: each for each in outcomes} for outcomes in (before, after))
        for message in ids:
            self.messages += 1
            if message in old or message in new:
                self._compare(old.get(message), new.get(message))

    def end(self, before: Iterable[Outcome], after: Iterable[Outcome]) -> None:
        """Compare what came of questions that waited in vain, which may be over at different times."""
        old, new = _together(before), _together(after)
        for message in sorted(old.keys() | new.keys()):
            self._compare(old.get(message), new.get(message))

    def _compare(self, before: Outcome | None, after: Outcome | None) -> None:
        known = before or after
        assert known is not None  # noqa: S101 - one of them is there
        old, new = (each.deliveries if each else () for each in (before, after))
        if self._effects(old) == self._effects(new):
            return
        self.changed += 1
        for what in (AFTERWARDS,) if known.because == TIMED_OUT else (ANSWERED, PASSED_ON):
            parts = [[d for d in each if what in (AFTERWARDS, _effect(d, known.chat))] for each in (old, new)]
            if self._effects(parts[0]) != self._effects(parts[1]):
                how = MORE if not parts[0] else FEWER if not parts[1] else DIFFERENTLY
                self._tallies[what][how].add(known.chat)
        told = {"message_id": f"m{known.message}", "because": known.because}
        rows = self._afterwards if known.because == TIMED_OUT else self._differences
        rows.append(told | {"before": decisions_of(old), "after": decisions_of(new)})

    def _effects(self, deliveries: Iterable[NewDelivery]) -> list[tuple[str, str, str, bytes, int]]:
        """What people would notice: by which rule it came is nothing of that."""
        return sorted(
            (d.kind, d.account, d.target, d.body or b"", d.delay if self._delays else 0) for d in deliveries
        )

    def summary(self) -> Row:
        """How many messages changed in which way, in how many chats."""
        return {
            what: {how: tally.told() for how, tally in hows.items()} for what, hows in self._tallies.items()
        }


def _together(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    """All that came later of each message."""
    found: dict[int, Outcome] = {}
    for each in outcomes:
        known = found.get(each.message)
        found[each.message] = (
            each if known is None else replace(each, deliveries=known.deliveries + each.deliveries)
        )
    return found


def _effect(delivery: NewDelivery, chat: str) -> str:
    """Whether it goes back to where the message was said, or on to others."""
    return ANSWERED if delivery.kind is DeliveryKind.SEND and delivery.target == chat else PASSED_ON


def failures_told(failures: Failures) -> list[Row]:
    """Those first that happened most."""
    ranked = sorted(failures.items(), key=lambda each: -each[1])
    return [{"plugin": plugin, "reason": reason, "messages": times} for (plugin, reason), times in ranked]


def outcomes_then(
    messages: Sequence[StoredMessage], decided: Mapping[int, Sequence[NewDelivery]], because: str = SAID
) -> list[Outcome]:
    """What was decided about these messages when they came, or afterwards."""
    return [
        Outcome(each.id, each.chat, tuple(decided[each.id]), because)
        for each in messages
        if each.id in decided
    ]
