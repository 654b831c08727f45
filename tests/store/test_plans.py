"""What is asked all the time is answered by an index: nothing gets slower with what lies behind."""

from __future__ import annotations

import re
from typing import Any

import apsw
import pytest

from relay.simulator.clockwork import START
from relay.store.migrate import migrate
from relay.store.occasions import Handled, Hearing, Tick
from relay.store.sqlite import (
    acquaintances,
    conversations,
    guard,
    ingest,
    occasions,
    routing,
    sending,
    signals,
)
from relay.store.states import DeliveryKind, DeliveryState, MessageState
from relay.store.values import Delivery, Routing, Signal, Talk
from relay.wire.entries import Entry

SIGNAL = Signal(1, False, "a", "R:1", "text", "", "", "", b"{}", START)
ENTRY = Entry("chatMsg", "a", b'{"content":1}', "", "", "", "R:1", "room", "s", "R:1", "text", START)
DELIVERY = Delivery(1, 1, DeliveryKind.FORWARD, "a", "R:2", DeliveryState.QUEUED, 0, 0, False, 1, START)

TALK = Talk("p", "R:1", "s", "", "a", "h", within=1)

ASKED: dict[str, Any] = {
    "ingest": lambda db: ingest.ingest(db, [ENTRY], ["a"], START),
    "anything_new": guard.anything_new,
    "identify": lambda db: guard.identify(db, 10, START, 1000),
    "waiting": routing.waiting,
    "time_out": lambda db: conversations.time_out(db, START, 10),
    "claim": lambda db: routing.claim(db, [1]),
    "finish": lambda db: routing.finish(db, Routing(1, MessageState.ROUTED, None, ()), 1, START),
    "turn": lambda db: routing.turn(db, 1),
    "begin": lambda db: sending.begin(db, 1, START),
    "due": lambda db: sending.due(db, 1, START),
    "record_intent": lambda db: sending.record_intent(db, [DELIVERY], 0, START),
    "anything_due": lambda db: sending.anything_due(db, START),
    "settle_due": lambda db: sending.settle_due(db, START),
    "recent_starts": lambda db: sending.recent_starts(db, START),
    "signals": lambda db: signals.signals(db, (0, 0), 10),
    "by_api_send_id": lambda db: signals.by_api_send_id(db, 1, 1, "a"),
    "by_api_send_svrid": lambda db: signals.by_api_send_svrid(db, "x", "a"),
    "forwards_without_echo": lambda db: signals.forwards_without_echo(db, SIGNAL, 1000),
    "fresh": lambda db: occasions.fresh(db, 0, 10),
    "claim occasions": lambda db: occasions.claim(db, [1]),
    "tick": lambda db: occasions.tick(db, Tick("p", "h", "1", 1), 2, START),
    "new_events": lambda db: occasions.new_events(db, Hearing({"contacts": 0}, 0)),
    "take_events": lambda db: occasions.take_events(db, [1], 1),
    "finish occasions": lambda db: occasions.finish_all(db, [(Handled(1), 1, START)]),
    "question": lambda db: conversations.question(db, "p", "R:1", "s", "a"),
    "heard_at": lambda db: conversations.heard_at(db, 1),
    "talk": lambda db: conversations.apply(db, [TALK, TALK], START),
    "anything_over": lambda db: conversations.anything_over(db, START),
}
SMALL = {"accounts", "line", "pauses", "sqlite_sequence", "json_each", "asked"}
"""Tables of a few rows, and lists that were given; the other ones grow."""

IN_HAND = {
    "anything_new": "messages_new",
    "identify": "messages_new",
    "waiting": "messages_waiting",
    "begin": "deliveries_state",  # of what is being sent
}
"""What may run over all that a partial index holds, or over all in one state: what is in hand just now."""


HISTORY = {"deliveries_target", "messages_chat"}
"""Indices for people who look back: of one chat they hold everything that ever was."""


def statements_of(work: Any) -> list[str]:
    """What is run on a database with a message and a delivery in it."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    ingest.ingest(connection, [ENTRY], ["a"], START)
    guard.identify(connection, 10, START, 1000)
    connection.execute(
        "INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position,"
        " due_at, expires_at, created_at, updated_at)"
        " VALUES (1, 'p', 'r', 0, 'forward', 'a', 'R:2', 1, 0, 9999999999999, 0, 0)"
    )
    statements: list[str] = []
    connection.trace_v2(
        apsw.SQLITE_TRACE_STMT, lambda event: None if event["trigger"] else statements.append(event["sql"])
    )
    work(connection)
    return [sql for sql in statements if sql.lstrip()[:6].upper() in ("SELECT", "UPDATE", "DELETE", "INSERT")]


def plan_of(sql: str) -> list[str]:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    asked = re.sub(r"\?\d*|:[a-z]+", "1", sql)
    return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {asked}")]


@pytest.mark.parametrize("name", ASKED)
def test_no_statement_runs_over_what_grows(name: str) -> None:
    steps = [step for sql in statements_of(ASKED[name]) for step in plan_of(sql)]
    assert [step for step in steps if runs_over_much(step) and IN_HAND.get(name, "!") not in step] == []


@pytest.mark.parametrize("sql", [acquaintances._ANYBODY, acquaintances._ACCOUNT])
def test_whether_somebody_was_ever_met_is_looked_up_and_not_searched_for(sql: str) -> None:
    scans = [step for step in plan_of(sql) if step.startswith("SCAN")]
    assert [step for step in scans if "CONSTANT" not in step and "subquery" not in step] == []


def runs_over_much(step: str) -> bool:
    words = step.split()
    if words[0] == "USE":  # a temporary index or a sort
        return True
    if words[0] == "SEARCH":
        return "(state=?)" in step or not HISTORY.isdisjoint(words)
    return words[0] == "SCAN" and words[1] not in SMALL
