"""What plugins handle beside messages, and questions that wait for an answer: values, and how they are kept.

Each is handled once: what came of it is stored in one transaction with the fact that it was handled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from relay.store.values import NewDelivery, StateChange, Talk, TraceLine

Row = dict[str, object]


class OccasionKind(StrEnum):
    """Why a plugin is called, where it is not for a message."""

    EVENT = "event"  #: a notification of the platform's that is no message
    DELIVERY = "delivery"  #: a delivery came to another state
    TICK = "tick"  #: a plugin's own clock
    TIMEOUT = "timeout"  #: nobody answered a question in time


class OccasionState(StrEnum):
    """How far one has come."""

    WAITING = "waiting"  #: for its turn
    HANDLED = "handled"  #: everybody who registered has had a say
    SKIPPED = "skipped"  #: there is nobody, or nothing, left that it concerns
    SET_ASIDE = "set_aside"  #: it has ended the router too often


@dataclass(frozen=True, slots=True)
class Occasion:
    """One of them, as it waits; `plugin` and `handler` are whose tick or time-out it is."""

    id: int
    kind: OccasionKind
    plugin: str
    handler: str
    subject: int | None  #: the number of the event, of the delivery, or of the conversation that it was
    became: str  #: the state that the delivery came to
    depth: int  #: how many changes of deliveries led to each other up to this one
    account: str
    chat: str
    sender: str
    message: int | None  #: what the question was asked because of
    detail: Mapping[str, object]
    at: int
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """A notification as it was kept."""

    id: int
    type: str
    account: str
    raw: bytes
    received_at: int


ANY = "*"
"""Stands for every type of event."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Which types of events are wanted, each since which number, and up to where that was looked through."""

    since: Mapping[str, int]
    cursor: int

    def wants(self, number: int, type_: str) -> bool:
        """Whether somebody is to hear of this event."""
        since = min(self.since.get(type_, number), self.since.get(ANY, number))
        return number > since


@dataclass(frozen=True, slots=True)
class Moved:
    """What a delivery is, whatever its state."""

    id: int
    kind: str
    account: str
    target: str
    plugin: str
    rule: str
    message: int | None


@dataclass(frozen=True, slots=True)
class Tick:
    """When a handler of a plugin is called next, in a rhythm."""

    plugin: str
    handler: str
    rhythm: str
    next_at: int


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation: who is to answer which plugin where, and what is called then.

    `ear` is the account that alone hears the answer, "" in a room.
    """

    id: int
    plugin: str
    ear: str
    chat: str
    sender: str
    account: str
    handler: str
    on_timeout: str
    message: int | None
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Handled:
    """All that came of one occasion; stored in one transaction."""

    occasion: int
    state: OccasionState = OccasionState.HANDLED
    reason: str | None = None
    trace: tuple[TraceLine, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    changes: tuple[StateChange, ...] = ()
    talks: tuple[Talk, ...] = ()
    would: tuple[tuple[str, str], ...] = ()  #: plugin and rule of those that only observe, and would act


class Occasions(Protocol):
    """The part of a store that holds them."""

    async def await_states(self, wanted: Sequence[tuple[str, str]]) -> None:
        """From now on, note changes of deliveries to these states for these plugins, but not of their own."""

    async def hear_events(self, types: Collection[str]) -> Hearing:
        """Hear events of these types, and no others; a type that nobody wanted before, from now on."""

    async def take_events(self, hearing: Hearing) -> Hearing:
        """Queue what came beyond that; from where to hear on."""

    async def ticks(self) -> list[Tick]:
        """When each clock ticks next."""

    async def plan(self, ticks: Sequence[Tick], gone: Sequence[Tick] = ()) -> None:
        """Set when these tick next, and forget those."""

    async def tick(self, tick: Tick, next_at: int) -> bool:
        """Queue one that is due, and set when it ticks next; false where somebody else has done so."""

    async def time_out(self, limit: int) -> int:
        """End conversations whose time is over and whose answer is not on its way; how many."""

    async def fresh(self, after: int, limit: int) -> list[Occasion]:
        """What waits beyond that number, in the order it came."""

    async def claim(self, ids: Sequence[int]) -> list[Occasion]:
        """Count an attempt for each and return those that still wait."""

    async def give_back(self, ids: Sequence[int]) -> None:
        """Take the attempt back, of those that a router leaves unfinished in good order."""

    async def happened(self, number: int) -> Happened | None:
        """An event."""

    async def moved(self, number: int) -> Moved | None:
        """A delivery."""

    async def finish(self, handled: Handled, expire_after: int) -> bool:
        """Store all that came of it at once; false when it was finished before."""

    async def remember(self, changes: Sequence[StateChange]) -> None:
        """Store what a plugin is to remember without an occasion: at its start or its end."""

    async def talking(self) -> list[tuple[str, str, str]]:
        """Plugin, chat and sender of every conversation."""

    async def question(self, plugin: str, chat: str, sender: str, account: str) -> Question | None:
        """What that plugin asked them there, as far as this account of ours would hear the answer."""

    async def heard_at(self, message: int) -> int | None:
        """When a message was heard; of one that was fetched later, when it was said, by our clock."""

    async def conversations(self) -> list[Question]:
        """Every conversation, those first that end first."""

    async def cancel(self, ids: Sequence[int]) -> list[int]:
        """End these without calling anybody; those that were there."""

    async def occasion(self, number: int) -> Row | None:
        """One with its trace and its deliveries' numbers, for people."""

    async def occasions(self, *, message: int | None = None, state: str = "", limit: int = 50) -> list[Row]:
        """What was handled or is to be, newest first; of a message: what it led to."""
