"""The router's side: take a message's turn, and store all that came of it at once."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apsw

from relay.store.sqlite import ask, conversations, observing
from relay.store.sqlite.ask import PLATFORM_AHEAD
from relay.store.sqlite.ingest import count
from relay.store.sqlite.remembering import write_state
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import Identified, NewDelivery, Routing, StoredMessage, Turn

_WAITING = """
SELECT id, account, chat, chat_type, source, received_at, attempts, own = 1
FROM messages WHERE state = 'waiting' AND own IS NOT NULL ORDER BY id
"""
_CLAIMED = """
UPDATE messages SET attempts = attempts + 1
WHERE id IN (SELECT value FROM json_each(?)) AND state = 'waiting'
RETURNING id, account, svrid, chat, chat_type, sender, type, time, raw, received_at, attempts, own = 1,
  late = 1
"""
_IN_HAND = f"""
SELECT messages.id, source,
  CASE late WHEN 1 THEN min(time - {PLATFORM_AHEAD}, received_at) ELSE received_at END,
  chat, chat_type, account, own, sources.acted, rooms.acting,
  EXISTS (SELECT 1 FROM messages copy WHERE copy.source = messages.source AND copy.id <> messages.id)
FROM messages LEFT JOIN sources ON sources.id = source LEFT JOIN rooms USING (chat)
WHERE messages.id IN (SELECT value FROM json_each(?)) AND state = 'waiting'
"""
_QUEUED = """
INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, body, position,
                        due_at, expires_at, created_at, updated_at, after, entry, occasion)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_TURN = """
SELECT rooms.acting, EXISTS (
  SELECT 1 FROM messages copy
  WHERE copy.source = messages.source AND copy.account = rooms.acting AND copy.id <> messages.id
)
FROM messages JOIN rooms ON rooms.chat = messages.chat
WHERE messages.id = ? AND messages.state = 'waiting'
"""
_COPY = """
SELECT copy.id FROM messages JOIN messages copy ON copy.id = messages.id OR copy.source = messages.source
WHERE messages.id = ? AND copy.account = ? ORDER BY copy.id <> messages.id, copy.id LIMIT 1
"""


def waiting(connection: apsw.Connection) -> list[Identified]:
    """What an earlier router let through and did not finish."""
    return [Identified(*row) for row in ask.every(connection, _WAITING)]


def claim(connection: apsw.Connection, ids: Sequence[int]) -> list[StoredMessage]:
    """Count one more attempt for each message, before anything is done that may end the process."""
    return [StoredMessage(*row) for row in ask.every(connection, _CLAIMED, (json.dumps(list(ids)),))]


def give_back(connection: apsw.Connection, ids: Sequence[int]) -> None:
    """Take an attempt back where it was no death that ended it."""
    connection.executemany(
        "UPDATE messages SET attempts = attempts - 1 WHERE id = ? AND state = 'waiting' AND attempts > 0",
        [(each,) for each in ids],
    )


def turn(connection: apsw.Connection, message: int) -> Turn | None:
    """Who is to act on a room message; None when it waits no more."""
    row = ask.first(connection, _TURN, (message,))
    return None if row is None else Turn(row[0], bool(row[1]))


@dataclass(frozen=True, slots=True)
class Finish:
    """What came of a message at `now`; its deliveries expire so long after its receipt."""

    routing: Routing
    expire_after: int
    now: int


class _InHand(NamedTuple):
    """A message as it waits, and who acts for it: `copied` where others of our accounts have heard it.

    What nobody heard when it was said expires as if it had been received then.
    """

    id: int
    source: int
    received_at: int
    chat: str
    chat_type: str
    account: str
    own: bool
    acted: int | None
    acting: str | None
    copied: bool


def finish_all(connection: apsw.Connection, finishes: Sequence[Finish]) -> list[bool]:
    """Store state, trace and deliveries of each message; false for one that was finished before.

    A source that another copy acted on meanwhile makes a message a copy, whatever was decided: false then.
    """
    asked = json.dumps([each.routing.message for each in finishes])
    waiting = {row[0]: _InHand._make(row) for row in ask.every(connection, _IN_HAND, (asked,))}
    acted: set[int] = set()  # the sources that are acted on here
    told: list[Routing] = []
    ended: dict[int, tuple[Finish, _InHand]] = {}  # by place in `finishes`
    for place, each in enumerate(finishes):
        message = waiting.pop(each.routing.message, None)
        if message is None or message.source in acted:
            continue
        if message.acted not in (None, message.id):
            told.append(Routing(message.id, MessageState.SKIPPED, f"copy of m{message.acted}"))
            continue
        acted.add(message.source)
        told.append(each.routing)
        ended[place] = each, message
    _set_states(connection, told)
    if ended:
        _store(connection, list(ended.values()))
    return [place in ended for place in range(len(finishes))]


def finish(connection: apsw.Connection, routing: Routing, expire_after: int, now: int) -> bool:
    """The same for one message."""
    return finish_all(connection, [Finish(routing, expire_after, now)])[0]


def _store(connection: apsw.Connection, ended: Sequence[tuple[Finish, _InHand]]) -> None:
    messages = [message for _, message in ended]
    connection.executemany(
        "UPDATE sources SET acted = ? WHERE id = ?", [(each.id, each.source) for each in messages]
    )
    _let_act(connection, messages, ended[0][0].now)
    connection.executemany(
        "UPDATE messages SET state = 'skipped', reason = ? WHERE source = ? AND state = 'waiting'",
        [(f"copy of m{each.id}", each.source) for each in messages if each.copied],
    )
    _write_traces(connection, [each.routing for each, _ in ended])
    for each, _ in ended:
        write_state(connection, each.routing.changes, each.now)
        if each.routing.talks:
            conversations.apply(connection, each.routing.talks, each.now)
    queue(connection, [_outgoing(connection, *each) for each in ended if each[0].routing.deliveries])
    observing.note(connection, [each for one, _ in ended for each in one.routing.would], ended[0][0].now)


def _let_act(connection: apsw.Connection, messages: Sequence[_InHand], now: int) -> None:
    """Whoever acted on a room's message is the one that acts there from then on."""
    acting = {each.chat: each.acting for each in messages if each.chat_type == "room"}
    for each in messages:
        if each.chat_type == "room" and not each.own and acting[each.chat] not in (None, each.account):
            acting[each.chat] = each.account
            connection.execute(
                "UPDATE rooms SET acting = ?, since = ? WHERE chat = ?", (each.account, now, each.chat)
            )


def _set_states(connection: apsw.Connection, routings: Sequence[Routing]) -> None:
    connection.executemany(
        "UPDATE messages SET state = ?, reason = ? WHERE id = ?",
        [(each.state, each.reason, each.message) for each in routings],
    )
    for state, times in Counter(each.state for each in routings).items():
        count(connection, f"messages_{state}_total", times)


def _write_traces(connection: apsw.Connection, routings: Sequence[Routing]) -> None:
    connection.executemany(
        "INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (routing.message, ordinal, line.plugin, line.rule, line.decision, line.reason, line.ms)
            for routing in routings
            for ordinal, line in enumerate(routing.trace)
        ],
    )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Deliveries of one cause, and what each of them carries, if it is a message that was received."""

    deliveries: Sequence[NewDelivery]
    entries: Sequence[int | None]
    message: int | None
    occasion: int | None
    expires_at: int  #: but for a delivery's own delay
    now: int


def _outgoing(connection: apsw.Connection, finish: Finish, message: _InHand) -> Outgoing:
    deliveries = finish.routing.deliveries
    entries = [_entry(connection, message, new) for new in deliveries]
    expires_at = message.received_at + finish.expire_after
    return Outgoing(deliveries, entries, message.id, None, expires_at, finish.now)


def queue(connection: apsw.Connection, causes: Sequence[Outgoing]) -> None:
    """Put deliveries into the outbox, in order; one that waits for another learns its number."""
    several = sum(len(each.deliveries) for each in causes)
    if not several:
        return
    positions = itertools.count(next_position(connection, several))
    rows: list[tuple[object, ...]] = []
    for each in causes:
        chained = any(new.after is not None for new in each.deliveries)
        numbers: list[int | None] = []
        for new, entry in zip(each.deliveries, each.entries, strict=True):
            after = None if new.after is None else numbers[new.after]
            row = _row(each, new, (after, entry), next(positions))
            if chained:
                connection.execute(_QUEUED, row)
                numbers.append(connection.last_insert_rowid() if connection.changes() else None)
            else:
                rows.append(row)
    connection.executemany(_QUEUED, rows)


def _row(
    cause: Outgoing, new: NewDelivery, bound: tuple[int | None, int | None], position: int
) -> tuple[object, ...]:
    now = cause.now
    return (
        *(cause.message, new.plugin, new.rule, new.ordinal, new.kind, new.account, new.target, new.body),
        *(position, now + new.delay, cause.expires_at + new.delay, now, now, *bound, cause.occasion),
    )


def _entry(connection: apsw.Connection, message: _InHand, new: NewDelivery) -> int | None:
    """What a forward carries: the copy at its account, as far as that one has heard it."""
    if new.kind is not DeliveryKind.FORWARD:
        return None
    if new.account == message.account and not message.copied:
        return message.id
    found = ask.value(connection, _COPY, (message.id, new.account))
    return None if found is None else int(found)


def next_position(connection: apsw.Connection, several: int = 1) -> int:
    """The last place in line, or the first of the last `several`."""
    value = ask.value(connection, "UPDATE line SET next = next + ?1 RETURNING next - ?1 + 1", (several,))
    assert isinstance(value, int)  # noqa: S101 - the line table has one row
    return value
