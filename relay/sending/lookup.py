"""Find out what became of requests that were never answered: ask the log, then judge what it did not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from relay.clock import CLOCKS_DIFFER, Clock
from relay.sending.budget import Budget
from relay.sending.history import History, Pulled, Wanted, Word
from relay.store.protocol import Store
from relay.store.states import DeliveryKind, DeliveryState
from relay.store.values import Conclusion, Settled, Unknown

LOOK = 250  # ms between two looks at deliveries that wait for the log
AT_ONCE = 500  # of them
GIVE_UP = 600_000  # ms in which a log that does not answer is asked again
LOOKS = 2  # into a log that ends before the request, until its silence is believed
YOUNG = 60_000  # ms in which what others said may still come by a callback

ABSENT = "not in the platform's log"
UNPROVEN = "not in the platform's log, which does not reach past it"
PERHAPS = "something in the platform's log may be it"
NO_LOG = "the platform's log does not tell"
NO_ECHO = "no echo came"

Attempt = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """What the configuration says of unknown outcomes; `resolve_within` in milliseconds."""

    on_unknown: Mapping[DeliveryKind, str]
    resolve_within: int
    max_attempts: int
    calls_per_minute: int


@dataclass(slots=True)
class _Case:
    """How often the log was looked into for one attempt, and when it is to be again, by a steady clock."""

    since: int
    looks: int = 0
    next_at: int = 0


class Lookup:
    """`ask` is an errand that may take long; `conclude` acts on what it brought, once echoes are settled."""

    def __init__(self, store: Store, history: History, clock: Clock, settings: LookupSettings) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._settings = settings
        self._budget = Budget(settings.calls_per_minute)
        self._cases: dict[Attempt, _Case] = {}
        self._look_at = 0
        self._told: dict[tuple[str, str], Pulled] = {}

    async def due(self) -> bool:
        """Whether somebody should be asked now."""
        now = self._clock.steady()
        if self._told or now < self._look_at:
            return False
        unknown = await self._store.unresolved(AT_ONCE)
        self._look_at = now + LOOK if unknown else 0
        cases = {(each.delivery, each.number) for each in unknown}
        self._cases = {attempt: case for attempt, case in self._cases.items() if attempt in cases}
        for attempt in cases - self._cases.keys():
            self._cases[attempt] = _Case(now)
        may_ask = self._budget.allows(now) and not self._history.rests()
        return any(self._open(each, now) for each in unknown) and (may_ask or self._gives_up(now))

    async def ask(self) -> None:
        """Ask for each chat once, those first that have waited longest, as far as the budget goes."""
        now = self._clock.steady()
        waiting = [each for each in await self._store.unresolved(AT_ONCE) if self._open(each, now)]
        for (account, chat), several in _by_chat(waiting):
            now = self._clock.steady()
            if not self._budget.allows(now) or self._history.rests():
                break
            first = several[0]
            ahead = self._history.ahead()
            since, until = first.started_at + ahead - CLOCKS_DIFFER, self._clock.now() + ahead - YOUNG
            wanted = Wanted(account, chat, first.after, since, until)
            pulled = await self._history.pull(wanted, self._budget)
            if pulled.word is not Word.SILENT:
                self._told[account, chat] = pulled
        self._look_at = 0

    async def conclude(self) -> list[Settled]:
        """Act on what the log told; what it found has settled itself, as an echo does."""
        now = self._clock.steady()
        if not self._told and not self._gives_up(now):
            return []
        told, self._told = self._told, {}
        concluded = []
        for unknown in await self._store.unresolved(AT_ONCE):
            pulled = told.get((unknown.account, unknown.target))
            conclusion = await self._judge(unknown, pulled, now)
            if conclusion is not None:
                concluded.append(self._within_limits(unknown, conclusion))
        self._look_at = 0
        return await self._store.conclude(concluded) if concluded else []

    # -- judgement -------------------------------------------------------------

    async def _judge(self, unknown: Unknown, pulled: Pulled | None, now: int) -> Conclusion | None:
        case = self._cases.get((unknown.delivery, unknown.number))
        if case is None or (pulled is None and now < case.since + GIVE_UP):
            return None
        if unknown.doubtful:  # the platform said itself that it did not take all of them
            return _conclusion(unknown, DeliveryState.FAILED, NO_ECHO)
        if pulled is None or pulled.word is Word.REFUSED:
            return self._unproven(unknown, f"{NO_ECHO}; {NO_LOG}")
        if await self._store.may_be_there(unknown):
            return _conclusion(unknown, DeliveryState.HELD, f"{NO_ECHO}; {PERHAPS}")
        case.looks += 1
        case.next_at = now + self._settings.resolve_within
        if await self._is_absent(unknown, pulled, case):
            return self._absent(unknown)
        if case.looks < LOOKS and self._policy(unknown) != "retry_blind":
            return None
        return self._unproven(unknown, UNPROVEN)

    async def _is_absent(self, unknown: Unknown, pulled: Pulled, case: _Case) -> bool:
        """Whether the log proves it: by what it has later, or by its silence while we listened."""
        if pulled.reaches > unknown.takes_effect + self._history.ahead() + CLOCKS_DIFFER:
            return True
        return case.looks >= LOOKS and await self._store.heard(
            unknown.account, unknown.started_at, unknown.takes_effect
        )

    def _absent(self, unknown: Unknown) -> Conclusion:
        again = self._policy(unknown) != "hold"
        return _conclusion(unknown, DeliveryState.QUEUED if again else DeliveryState.HELD, ABSENT)

    def _unproven(self, unknown: Unknown, words: str) -> Conclusion:
        blind = self._policy(unknown) == "retry_blind"
        return _conclusion(unknown, DeliveryState.QUEUED if blind else DeliveryState.HELD, words)

    def _within_limits(self, unknown: Unknown, concluded: Conclusion) -> Conclusion:
        used_up = unknown.spent >= self._settings.max_attempts
        if concluded.state is not DeliveryState.QUEUED or not used_up:
            return concluded
        words = f"{concluded.words}; {unknown.spent} attempts used up"
        return _conclusion(unknown, DeliveryState.FAILED, words)

    def _policy(self, unknown: Unknown) -> str:
        return self._settings.on_unknown[unknown.kind]

    def _open(self, unknown: Unknown, now: int) -> bool:
        case = self._cases.get((unknown.delivery, unknown.number))
        return case is not None and (
            now >= case.next_at or now < case.next_at - self._settings.resolve_within
        )

    def _gives_up(self, now: int) -> bool:
        return any(now >= case.since + GIVE_UP for case in self._cases.values())


def _conclusion(unknown: Unknown, state: DeliveryState, words: str) -> Conclusion:
    return Conclusion(unknown.delivery, unknown.number, state, words)


def _by_chat(waiting: Sequence[Unknown]) -> list[tuple[tuple[str, str], list[Unknown]]]:
    """What waits for an answer about the same chat, in the order in which the first of each was begun."""
    ordered = sorted(waiting, key=lambda each: (each.account, each.target))
    groups = [(pair, list(each)) for pair, each in groupby(ordered, lambda u: (u.account, u.target))]
    grouped = [(pair, sorted(each, key=lambda u: u.started_at)) for pair, each in groups]
    return sorted(grouped, key=lambda group: group[1][0].started_at)
