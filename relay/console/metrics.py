"""`GET /metrics`: the bot in numbers, for Prometheus; no id, no chat and no word from outside is a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

import relay
from relay.console.snapshot import Snapshot
from relay.routing.standing import BLOCKED, DEATHS
from relay.store.past import Kept
from relay.store.states import LEFT, AttemptOutcome, MessageState
from relay.store.values import ECHO_BOUNDS

CONTENT_TYPE = CONTENT_TYPE_LATEST

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


Samples = Mapping[str, float]


CONTRADICTIONS = {
    "failure_repeated_total": "Failure events that spoke once more of the same attempt.",
    "failure_of_earlier_attempt_total": "Failure events of an attempt that another had followed.",
    "failure_after_discard_total": "Failure events of what an operator had dropped.",
    "echo_after_failure_total": "Echoes of what a failure event had spoken of.",
    "echo_after_discard_total": "Echoes of what an operator had dropped.",
}
"""What does not go together, and changed no state."""

SUM = "sum"


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric: its name, what it means, and its value, or one for each value of its label.

    Where there are two labels, `a.b`, the last point in a value parts theirs.
    """

    kind: Literal["gauge", "counter", "histogram"]
    name: str
    help: str
    read: Callable[[Snapshot], float | Samples]
    label: str = ""


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


def _ages(seen: Snapshot) -> Samples:
    return {str(state): seen.age(seen.figures.since.get(state)) for state in LEFT}


def _echoes(seen: Snapshot) -> Samples:
    """As a histogram is told: how many came within each bound, and how long all of them took."""
    found = seen.family("echoes_total")
    within = accumulate(found.get(str(bound), 0) for bound in ECHO_BOUNDS)
    told = {str(bound / 1000): count for bound, count in zip(ECHO_BOUNDS, within, strict=True)}
    took = seen.counters.get("echo_milliseconds_total", 0) / 1000
    return {**told, "+Inf": sum(found.values()), SUM: took}


METRICS = (
    Measured(
        "gauge", "relay_inbox_waiting", "Received messages whose turn has not come.", lambda s: s.waiting
    ),
    Measured(
        "gauge",
        "relay_inbox_oldest_seconds",
        "How long the first of them has waited; 0 for none.",
        lambda s: s.age(s.figures.waiting_since),
    ),
    Measured(
        "gauge", "relay_deliveries", "Deliveries in each state.", lambda s: {**s.deliveries}, label="state"
    ),
    Measured(
        "gauge",
        "relay_deliveries_oldest_seconds",
        "How long the first in each state that is to be left has been in it, or past its delay; 0 for none.",
        _ages,
        "state",
    ),
    Measured(
        "counter",
        "relay_attempts_total",
        "Requests that ended, by class; a request with several deliveries counts for each.",
        lambda s: {str(each): s.family("attempts_total").get(each, 0) for each in AttemptOutcome},
        "class",
    ),
    Measured(
        "histogram",
        "relay_echo_seconds",
        "How long after its attempt an echo came; those found in the log do not count.",
        _echoes,
    ),
    Measured(
        "gauge",
        "relay_echo_p99_seconds",
        "Within which 99 of 100 echoes came, as last measured; 0 where too few came.",
        lambda s: (s.echo_p99 or 0) / 1000,
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
        "gauge",
        "relay_outage",
        "1 while the platform does not answer: a probe asks for it, and nothing is sent.",
        lambda s: float(s.outage),
    ),
    Measured("counter", "relay_pauses_total", "Pauses of an account, or of all.", _counted("pauses_total")),
    Measured(
        "counter",
        "relay_messages_total",
        "Messages whose turn is over, by what came of them.",
        _routed,
        "state",
    ),
    Measured(
        "counter",
        "relay_would_total",
        "How often what only observes would have acted on a message, an event, a tick…; by plugin.",
        lambda s: s.family("would_total"),
        "plugin",
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
        "gauge",
        "relay_answers_late_today",
        "Those of this day, as China counts days.",
        lambda s: s.figures.late_today,
    ),
    Measured(
        "gauge",
        "relay_gaps",
        "Times in which nobody listened, and whose chats are not listed yet.",
        lambda s: s.figures.gaps,
    ),
    Measured(
        "gauge",
        "relay_repairs",
        "Chats that wait to be fetched from the platform's log after such a time.",
        lambda s: s.figures.repairs,
    ),
    Measured(
        "counter",
        "relay_messages_recovered_total",
        "Messages that the platform's log told and no callback did.",
        _counted("messages_recovered_total"),
    ),
    Measured(
        "counter",
        "relay_past_removed_total",
        "What was removed because its time was over, by kind.",
        lambda s: {str(kept): s.family("past_removed_total").get(kept, 0) for kept in Kept},
        "kind",
    ),
    Measured(
        "gauge",
        "relay_oldest_message_seconds",
        "How old the oldest message is that is kept; 0 where none is.",
        lambda s: s.age(s.figures.kept_since),
    ),
    Measured("gauge", "relay_database_bytes", "Size of the database.", lambda s: s.figures.size),
    Measured(
        "gauge", "relay_database_spare_bytes", "How much of it is free for reuse.", lambda s: s.figures.spare
    ),
    Measured(
        "gauge",
        "relay_plugin_parked",
        "1 while a plugin is left alone because it failed again and again; none for those that work.",
        lambda s: s.parked,
        "plugin",
    ),
    Measured(
        "counter",
        "relay_plugin_blocked_seconds_total",
        "How long handlers kept the router's loop from everybody else.",
        lambda s: {what: ms / 1000 for what, ms in s.family(BLOCKED).items()},
        "plugin.handler",
    ),
    Measured(
        "counter",
        "relay_plugin_deaths_total",
        "How often the router died while a handler ran.",
        lambda s: s.family(DEATHS),
        "plugin.handler",
    ),
    *(
        Measured("counter", f"relay_{name}", meaning, _counted(name))
        for name, meaning in CONTRADICTIONS.items()
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
    if measured.kind == "histogram" and isinstance(value, Mapping):
        histogram = HistogramMetricFamily(measured.name, measured.help)
        buckets = [(bound, count) for bound, count in value.items() if bound != SUM]
        histogram.add_metric([], buckets, value[SUM])
        return histogram
    family = GaugeMetricFamily if measured.kind == "gauge" else CounterMetricFamily
    labels = measured.label.split(".") if measured.label else []
    metric = family(measured.name, measured.help, labels=labels)
    samples = value if isinstance(value, Mapping) else {"": value}
    for label, number in samples.items():
        metric.add_metric(label.rsplit(".", len(labels) - 1) if labels else [], number)
    return metric


def written(seen: Snapshot) -> bytes:
    """The metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(seen))
    return generate_latest(registry)
