"""`GET /metrics`: the bot in numbers, for Prometheus; no id, no chat and no word from outside is a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

import relay
from relay.clock import Clock
from relay.report import SILENT
from relay.store.protocol import Store
from relay.store.states import MessageState

CONTENT_TYPE = CONTENT_TYPE_LATEST

ROLES = ("receiver", "router", "sender", "console")
EVENTS = ("chatMsgSendFail", "contacts", "taskDone")
"""Kinds of events that the platform's documents name; all others are counted as `other`."""

DAMAGES = (
    "padding",
    "json",
    "wire_form",
    "plaintext_refused",
    "empty",
    "internal",
    "body",
    "notification",
    "entry",
)
"""Our own words for what was damaged; each is told at zero, or `increase()` would not see the first one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store says at one moment."""

    now: int
    waiting: int
    oldest_waiting: int | None
    deliveries: Mapping[str, int]
    counters: Mapping[str, int]
    alive: Mapping[str, int]
    accounts: int
    paused: int
    platform_paused: bool

    def family(self, name: str) -> dict[str, int]:
        """The counters of a family, by what stands behind the colon."""
        return {key[len(name) + 1 :]: n for key, n in self.counters.items() if key.startswith(f"{name}:")}


Samples = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric: its name, what it means, and its value, or one for each value of its label."""

    kind: Literal["gauge", "counter"]
    name: str
    help: str
    read: Callable[[Snapshot], float | Samples]
    label: str = ""


async def snapshot(store: Store, clock: Clock) -> Snapshot:
    """Ask the store; none of it takes longer for what lies behind."""
    now = clock.now()
    counts: dict[str, Any] = await store.counts()
    processes: list[dict[str, Any]] = await store.processes(now - SILENT)
    paused = {pause.account for pause in await store.pauses() if pause.until > now}
    return Snapshot(
        now=now,
        waiting=counts["inbox"]["waiting"],
        oldest_waiting=await store.oldest_waiting(),
        deliveries=counts["deliveries"],
        counters=await store.counters(),
        alive={role: sum(each["role"] == role and each["alive"] for each in processes) for role in ROLES},
        accounts=len(await store.accounts()),
        paused=len(paused - {""}),
        platform_paused="" in paused,
    )


def _counted(name: str) -> Callable[[Snapshot], float]:
    return lambda seen: seen.counters.get(name, 0)


def _routed(seen: Snapshot) -> Samples:
    ended = (state for state in MessageState if state is not MessageState.WAITING)
    return {str(state): seen.counters.get(f"messages_{state}_total", 0) for state in ended}


def _bounded(found: Mapping[str, int], known: Sequence[str]) -> Samples:
    """By label where the word is ours or documented, and the rest together."""
    told = dict.fromkeys((*known, "other"), 0)
    for word, count in found.items():
        told[word if word in known else "other"] += count
    return told


def _age(seen: Snapshot) -> float:
    return 0 if seen.oldest_waiting is None else max(0, seen.now - seen.oldest_waiting) / 1000


METRICS = (
    Measured(
        "gauge", "relay_inbox_waiting", "Received messages whose turn has not come.", lambda s: s.waiting
    ),
    Measured(
        "gauge", "relay_inbox_oldest_seconds", "How long the first of them has waited; 0 for none.", _age
    ),
    Measured(
        "gauge", "relay_deliveries", "Deliveries in each state.", lambda s: {**s.deliveries}, label="state"
    ),
    Measured(
        "gauge", "relay_processes_alive", "Processes that report themselves.", lambda s: s.alive, "role"
    ),
    Measured("gauge", "relay_accounts", "Accounts of ours that are known.", lambda s: s.accounts),
    Measured("gauge", "relay_accounts_paused", "Accounts that do not send for now.", lambda s: s.paused),
    Measured(
        "gauge",
        "relay_platform_paused",
        "1 while nothing is sent by any account.",
        lambda s: float(s.platform_paused),
    ),
    Measured(
        "counter",
        "relay_messages_total",
        "Messages whose turn is over, by what came of them.",
        _routed,
        "state",
    ),
    Measured(
        "counter",
        "relay_duplicates_total",
        "Callbacks of messages seen before.",
        _counted("duplicates_total"),
    ),
    Measured(
        "counter",
        "relay_events_total",
        "Callbacks that are no messages, by kind.",
        lambda s: _bounded(s.family("events_total"), EVENTS),
        "kind",
    ),
    Measured(
        "counter",
        "relay_damaged_total",
        "Bodies and parts of bodies that could not be read, by reason.",
        lambda s: _bounded(s.family("damaged_total"), DAMAGES),
        "reason",
    ),
    Measured(
        "counter",
        "relay_acked_before_durable_total",
        "Callbacks answered before they were on disk.",
        _counted("acked_before_durable_total"),
    ),
    Measured("counter", "relay_lost_total", "Callbacks answered and lost.", _counted("lost_total")),
    Measured(
        "counter",
        "relay_answers_slow_total",
        "Callbacks answered after more than 100 ms.",
        _counted("answers_slow_total"),
    ),
    Measured(
        "counter",
        "relay_answers_late_total",
        "Callbacks answered after more than the platform's second; 1,000 in a day, and it stops for the day.",
        _counted("answers_late_total"),
    ),
    Measured(
        "counter",
        "relay_duplicate_effect_total",
        "Second echoes of one delivery: it was sent twice.",
        _counted("duplicate_effect_total"),
    ),
    Measured(
        "counter",
        "relay_failures_unmatched_total",
        "Failure events that no delivery of ours is known for.",
        _counted("failure_unmatched_total"),
    ),
)
"""Every metric, one line each."""


class _Collector:
    """Hands what was seen to the Prometheus library, which knows how it is written."""

    def __init__(self, seen: Snapshot) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """All metrics, in the order of the table."""
        version = GaugeMetricFamily("relay_info", "Which relay this is.", labels=["version"])
        version.add_metric([relay.__version__], 1)
        yield version
        for measured in METRICS:
            yield _metric(measured, measured.read(self._seen))


def _metric(measured: Measured, value: float | Samples) -> Metric:
    family = GaugeMetricFamily if measured.kind == "gauge" else CounterMetricFamily
    labels = [measured.label] if measured.label else []
    metric = family(measured.name, measured.help, labels=labels)
    samples = value if isinstance(value, Mapping) else {"": value}
    for label, number in samples.items():
        metric.add_metric([label] if labels else [], number)
    return metric


def written(seen: Snapshot) -> bytes:
    """The metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(seen))
    return generate_latest(registry)
