"""Gathers what the checker needs: the database by plain SQL, the platform's side from the simulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
from faults.checker import Attempt, Delivery, Effect, Evidence, Heard, Lookup, Pushed, Stored, Wanted

from benchmarks.callbacks import FIRST, Talk
from benchmarks.load import ANSWERED, Report
from relay.simulator.app import Simulator
from relay.simulator.ledger import Cause, Copy, Ledger, Message, PushState

Owed = Callable[[Message], Counter[Wanted]]

WINK = 0.02  # seconds between two looks whether time passes
BLIND = 100.0  # ms from which on it stood still

_SENT = (PushState.ANSWERED, PushState.TIMED_OUT, PushState.REFUSED)
_OWN_ID = re.compile(r"[0-9a-f]+-(\d+)\.(\d+)")


def now() -> float:
    """Milliseconds since 1970, as the simulator counts."""
    return time.time() * 1000


class Watch:
    """Notes when each push ended, which the ledger does not, and when the receiver did not live.

    `astray`: a push that was not answered may have arrived all the same, and later than those behind it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.astray = False
        self.ended: dict[int, float] = {}
        self.dead: list[tuple[float, float]] = []
        self.blind: list[tuple[float, float]] = []
        self._ledger = ledger
        ledger.watch(self._look)

    @contextlib.asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """Notice, within the block, when this very process stood still, which is the platform as well."""

        async def wink() -> None:
            while True:
                before = now()
                await asyncio.sleep(WINK)
                if now() - before > BLIND:
                    self.blind.append((before, now()))

        winking = asyncio.create_task(wink())
        try:
            yield
        finally:
            winking.cancel()

    def _look(self) -> None:
        last = self._ledger.last_push
        if last is not None:
            self.ended.setdefault(last.number, now())


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the bot's database says, whether the bot runs or not."""
    connection = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def gather(
    simulator: Simulator, folder: Path, watch: Watch, owed: Owed | None = None, others: Sequence[Pushed] = ()
) -> Evidence:
    """Everything that is known, now that it came to rest."""
    ledger = simulator.ledger
    pushes = [*_pushes(ledger, watch), *others]
    return Evidence(
        pushes=pushes,
        effects=list(
            _effects(
                ledger,
                folder,
                {heard for push in pushes if push.status for heard in push.carried},
                _heard(pushes, astray=watch.astray),
            )
        ),
        lookups=[
            Lookup(request.number, request.time)
            for request in ledger.requests
            if request.path.endswith("/chatLogs") and request.effective
        ],
        messages=_messages(ledger, folder),
        deliveries=_deliveries(folder),
        attempts=[
            Attempt(*row)
            for row in rows(folder, "SELECT delivery, number, account, started_at FROM attempts")
        ],
        dead=watch.dead,
        blind=watch.blind,
        owed=_owed(ledger, owed) if owed else None,
    )


def pushes_of(report: Report, talk: Talk) -> list[Pushed]:
    """A load's report in the checker's words; a load pushes one message at a time."""
    began = report.began * 1000
    places = [place[0] for place in talk.places for _ in range(1 + talk.echoes)]
    return [
        Pushed(
            carried=((places[push.number % len(places)], str(FIRST + talk.first + push.number)),),
            began=began + push.at * 1000,
            ended=began + push.at * 1000 + push.ms,
            status=push.status if push.outcome == ANSWERED else None,
        )
        for push in report.pushes
    ]


def _pushes(ledger: Ledger, watch: Watch) -> list[Pushed]:
    return [
        Pushed(
            carried=tuple(carried(push.plaintext, "chatMsg")),
            began=watch.ended[push.number] - push.ms,
            ended=watch.ended[push.number],
            status=push.status if push.state is PushState.ANSWERED else None,
        )
        for push in ledger.pushes
        if push.state in _SENT
    ]


def _heard(pushes: Sequence[Pushed], *, astray: bool) -> dict[Heard, float]:
    """When each message was heard first, where that is certain; an account is pushed one thing at a time."""
    found: dict[Heard, list[Pushed]] = defaultdict(list)
    for push in sorted(pushes, key=lambda each: each.ended):
        for heard in push.carried:
            found[heard].append(push)
    certain = (
        (heard, several[0])
        for heard, several in found.items()
        if several[0].status is not None or (len(several) == 1 and not astray)
    )
    return {heard: push.ended for heard, push in certain}


def carried(plaintext: bytes, kind: str, key: str = "svrid") -> Iterator[Heard]:
    """The ids of one kind in a callback, each with its account."""
    for notification in json.loads(plaintext):
        if notification["type"] == kind:
            yield from ((notification["rel_wxid"], entry[key]) for entry in notification["data"])


def _messages(ledger: Ledger, folder: Path) -> list[Stored]:
    caused = {message.number for message in ledger.messages if message.cause is not None}
    own = {(copy.account, copy.svrid) for copy in ledger.copies if copy.message in caused}
    found = rows(folder, "SELECT id, account, svrid, state, late FROM messages")
    return [
        Stored(number, (account, svrid), state, (account, svrid) in own, bool(late))
        for number, account, svrid, state, late in found
    ]


def _deliveries(folder: Path) -> list[Delivery]:
    columns = "id, message, kind, account, target, state, position, attempts, due_at > created_at"
    found = rows(folder, f"SELECT {columns} FROM deliveries")
    return [Delivery(*row) for row in found]


def _effects(ledger: Ledger, folder: Path, told: set[Heard], heard: dict[Heard, float]) -> Iterator[Effect]:
    copies: dict[int, list[Copy]] = defaultdict(list)
    for copy in ledger.copies:
        copies[copy.message].append(copy)
    failures = set(_failures_told(ledger))
    forwards = _forwards(folder)
    for message in ledger.messages:
        if (cause := message.cause) is not None:
            echoed = any((copy.account, copy.svrid) in told for copy in copies[message.number])
            failed = message.failed is not None
            delivery, attempt = _named(cause, forwards, copies)
            source = [] if cause.source is None else copies[cause.source]
            yield Effect(
                *(cause.kind, cause.account, cause.target, cause.request, message.time, cause.source),
                place="" if cause.source is None else ledger.messages.numbered(cause.source).place,
                heard=next(
                    (
                        heard.get((each.account, each.svrid))
                        for each in source
                        if each.account == cause.account
                    ),
                    None,
                ),
                delivery=delivery,
                attempt=attempt,
                failed=failed,
                told=cause.api_send_svrid in failures if failed else echoed,
            )


def _named(
    cause: Cause, forwards: dict[tuple[str, str, str], int], copies: dict[int, list[Copy]]
) -> tuple[int | None, int | None]:
    """The delivery, and the attempt, to which an effect belongs: a forward by what it carries."""
    if cause.source is None:
        found = _OWN_ID.fullmatch(str(cause.api_send_id))
        return (int(found[1]), int(found[2])) if found else (None, None)
    ids = [(copy.account, copy.svrid, cause.target) for copy in copies[cause.source]]
    known = [forwards[each] for each in ids if each[0] == cause.account and each in forwards]
    return (known[0] if known else None), None


def _forwards(folder: Path) -> dict[tuple[str, str, str], int]:
    sql = """SELECT d.account, m.svrid, d.target, d.id FROM deliveries d JOIN messages m ON m.id = d.entry
             WHERE d.kind = 'forward' AND m.account = d.account"""
    return {(account, svrid, target): number for account, svrid, target, number in rows(folder, sql)}


def _failures_told(ledger: Ledger) -> Iterator[str]:
    for push in ledger.pushes:
        if push.state is PushState.ANSWERED:
            yield from (name for _, name in carried(push.plaintext, "chatMsgSendFail", "api_send_svrid"))


def _owed(ledger: Ledger, owed: Owed) -> dict[Heard, Counter[Wanted]]:
    """What each copy of what a customer said is to bring about."""
    said = {message.number: owed(message) for message in ledger.messages if message.cause is None}
    return {(copy.account, copy.svrid): said[copy.message] for copy in ledger.copies if copy.message in said}
