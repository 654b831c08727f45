"""What a store is to do with what plugins are called for beside messages, with questions, and with state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relay.store.states import DeliveryState
from relay.store.values import StateChange, Talk

DEAF_FOR_LONG = 600_000  # ms: a question ends though nobody listened
FAILED = "chatMsgSendFail"
ANY = "*"

Key = tuple[str, str, str, int | None, str, int]
"""Kind, plugin, handler, subject, what a delivery became, and how many changes led to it."""
Who = tuple[str, str, str, str]
Heard = tuple[str, str, int]  # chat, sender, and when


@dataclass
class Call:
    """One occasion."""

    key: Key
    sender: str = ""
    state: str = "waiting"
    attempts: int = 0


@dataclass
class Asked:
    """One question: who is to answer which plugin, and until when."""

    id: int
    handler: str
    on_timeout: str
    since: int
    until: int


class Calls:
    """Occasions in the order they came up, questions by who is to answer, and what plugins remember."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self.awaited: set[tuple[str, str]] = set()
        self.noted: set[tuple[int, str, int]] = set()
        self.events: dict[str, int] = {}  #: since which each type is wanted
        self.ticks: dict[tuple[str, str], int] = {}
        self.asked: dict[Who, Asked] = {}
        self.questions = 0
        self.kept: dict[tuple[str, str], tuple[str, int | None]] = {}
        self.gaps: list[int] = []

    # -- what comes up ---------------------------------------------------------

    def note(self, number: int, plugin: str, depth: int, steps: Iterable[tuple[DeliveryState, int]]) -> None:
        """A delivery took these steps, each at a place in line: told once, and never to its own plugin."""
        for state, place in steps:
            wanted = any(each == state and whose != plugin for each, whose in self.awaited)
            if wanted and (number, state, place) not in self.noted:
                self.noted.add((number, state, place))
                self.all.append(Call(("delivery", "", "", number, state, depth)))

    def hear(self, types: Iterable[str], newest: int) -> None:
        """Types that were not wanted before are from now on."""
        self.events = {each: self.events.get(each, newest) for each in types}

    def take(self, events: Iterable[int]) -> None:
        """Queue each that is wanted, once."""
        since = min((self.events[each] for each in (FAILED, ANY) if each in self.events), default=None)
        known = {each.key[3] for each in self.all if each.key[0] == "event"}
        for number in events:
            if since is not None and number > since and number not in known:
                self.all.append(Call(("event", "", "", number, "", 0)))

    def tick(self, plugin: str, handler: str, was: int, next_at: int) -> bool:
        """Queue one unless the last one waits still."""
        if self.ticks.get((plugin, handler)) != was:
            return False
        self.ticks[plugin, handler] = next_at
        key: Key = ("tick", plugin, handler, None, "", 0)
        if not any(each.key == key and each.state == "waiting" for each in self.all):
            self.all.append(Call(key))
        return True

    def waiting(self) -> list[Call]:
        """What has yet to be handled."""
        return [each for each in self.all if each.state == "waiting"]

    # -- questions -------------------------------------------------------------

    def talk(self, talks: Sequence[Talk], now: int) -> None:
        """Begin and end them; one whose time is over is handled as such, though it is asked anew."""
        for each in talks:
            if each.handler:
                who = (each.plugin, each.chat, each.sender, each.ear or "")
                if who in self.asked:
                    self._end(who, timed_out=self.asked[who].until <= now)
                self.questions += 1
                since = now + each.delay
                self.asked[who] = Asked(
                    self.questions, each.handler, each.on_timeout, since, since + each.within
                )
                continue
            for who, asked in list(self.asked.items()):
                same = who[:3] == (each.plugin, each.chat, each.sender)
                if same and each.ear in (None, who[3]) and each.only in (None, asked.id):
                    self._end(who, timed_out=False)

    def _end(self, who: Who, *, timed_out: bool) -> None:
        asked = self.asked.pop(who)
        if timed_out and asked.on_timeout:
            self.all.append(Call(("timeout", who[0], asked.on_timeout, asked.id, "", 0), who[2]))

    def time_out(self, now: int, waiting: Sequence[Heard]) -> int:
        """End those whose time is over, unless what waits, or was not heard, may be the answer."""
        heard = max(min([now, *self.gaps]), now - DEAF_FOR_LONG)
        over = [
            who
            for who, asked in self.asked.items()
            if asked.until <= heard
            and not any(each[:2] == who[1:3] and each[2] < asked.until for each in waiting)
        ]
        for who in sorted(over, key=lambda each: (self.asked[each].until, self.asked[each].id)):
            self._end(who, timed_out=True)
        return len(over)

    # -- what plugins remember -------------------------------------------------

    def write(self, changes: Sequence[StateChange], now: int) -> None:
        """A number that is added to begins anew once its time is over."""
        for each in changes:
            key = (each.plugin, each.key)
            before = self.read(key, now)
            if each.by is not None:
                self.kept[key] = str(each.by + int(before or 0)), each.expires_at
            elif each.value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = each.value, each.expires_at

    def read(self, key: tuple[str, str], now: int) -> str | None:
        """What is remembered, as long as it counts."""
        value, expires_at = self.kept.get(key, (None, None))
        return None if expires_at is not None and expires_at <= now else value

    def forget(self, sender: str) -> None:
        """Nobody waits for them or is called for that, and what was kept for them is gone."""
        for call in self.waiting():
            call.state = "skipped" if call.sender == sender else call.state
        for who in [each for each in self.asked if sender in each[1:3]]:
            self._end(who, timed_out=False)
        self.kept = {key: value for key, value in self.kept.items() if sender not in key[1]}
