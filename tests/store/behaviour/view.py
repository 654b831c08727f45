"""What can be seen of a store, the same of the model, and what the bot makes of signals."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from store.behaviour import truth
from store.behaviour.model import Model

from relay.sending import outcomes
from relay.store.protocol import Store
from relay.store.states import DeliveryKind, DeliveryState, MessageState
from relay.store.values import NewDelivery, Routing, Signal, Tracked, Verdict

T = TypeVar("T")
ALL = 10_000
LINES = 3  # deliveries of each line that are looked at


async def seen(store: Store) -> dict[str, object]:
    """Everything that shows from outside."""
    messages, deliveries, waiting, counters, counts = await asyncio.gather(
        store.messages(limit=ALL),
        store.deliveries(limit=ALL),
        store.waiting(),
        store.counters(),
        store.counts(),
    )
    columns = ("id", "state", "evidence", "attempts", "kind", "account", "target")
    return {
        "messages": [(m["id"], m["account"], m["svrid"], m["state"]) for m in reversed(messages)],
        "deliveries": [tuple(d[column] for column in columns) for d in reversed(deliveries)],
        "waiting": [(each.id, each.attempts) for each in waiting],
        "due": [[each.id for each in line] for line in await store.due(LINES)],
        "unresolved": sorted(each.delivery for each in await store.unresolved(ALL)),
        "signals": sorted((each.failure, each.id) for each in await store.signals((0, 0), ALL)),
        "counters": counters,
        "counts": counts,
    }


def expected(model: Model, now: int) -> dict[str, object]:
    """What should."""
    messages, deliveries = model.messages.values(), model.deliveries.values()
    states = {str(state): sum(d.state is state for d in deliveries) for state in DeliveryState}
    return {
        "messages": [(f"m{m.id}", m.entry.account, m.entry.svrid, m.state) for m in messages],
        "deliveries": [
            (f"d{d.id}", d.state, d.evidence, len(d.attempts), d.kind, d.account, d.target)
            for d in deliveries
        ],
        "waiting": [(each, model.messages[each].attempts) for each in model.waiting()],
        "due": model.due(LINES, now),
        "unresolved": sorted(model.unresolved(now)),
        "signals": sorted(model.signals),
        "counters": dict(model.counters),
        "counts": {
            "inbox": {"waiting": sum(m.state is MessageState.WAITING for m in messages)},
            "deliveries": states,
        },
    }


def some(several: Sequence[T], pick: int) -> T:
    """One of them."""
    return several[pick % len(several)]


def routed(message: int, decided: Sequence[Any]) -> Routing:
    """A message with what was decided about it; what follows another is behind the one before it."""
    deliveries = tuple(
        NewDelivery(
            *("plugin", "rule", place, kind, account, target),
            body=None if kind is DeliveryKind.FORWARD else b'{"place":%d}' % place,
            delay=delay,
            after=place - 1 if place and follows else None,
        )
        for place, (kind, account, target, delay, follows) in enumerate(decided)
    )
    return Routing(message, MessageState.ROUTED, deliveries=deliveries)


async def tracked(store: Store, signal: Signal, origin: str) -> Tracked | None:
    """The delivery that a signal is about, by the best evidence that it carries."""
    if (named := outcomes.read_api_send_id(signal.api_send_id, origin)) is not None:
        return await store.by_api_send_id(*named, signal.account)
    if signal.api_send_svrid:
        return await store.by_api_send_svrid(signal.api_send_svrid, signal.account)
    if signal.failure:
        return None
    fits = await store.forwards_without_echo(signal, outcomes.FORWARD_WINDOW)
    return outcomes.fitting_forward(signal, fits)


def judge(signal: Signal, about: Tracked | None, now: int) -> Verdict | None:
    """What the sender makes of it."""
    if about is None:
        return outcomes.unmatched(signal, now)
    return (outcomes.judge_failure if signal.failure else outcomes.judge_echo)(signal, about)


def told(verdict: Verdict) -> truth.Judged:
    """A verdict in the model's words."""
    signal, about = (verdict.signal.failure, verdict.signal.id), verdict.about
    means = verdict.state, verdict.evidence, verdict.counter
    if about is None:
        return truth.Judged(signal, None, None, *means)
    return truth.Judged(signal, (about.id, about.number), (about.state, about.attempts), *means)
