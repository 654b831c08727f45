"""How plugins do in the living router, beside what becomes of their files when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relay.clock import Clock
from relay.routing import parking
from relay.routing.parking import Failing
from relay.routing.standing import BLOCKED, DEATHS, RUNNING, running_in
from relay.store.protocol import Row, Store
from relay.store.sqlite.queries import rfc3339

SILENT = 10_000  # ms after which a role that reports every second is taken for dead


async def as_they_run(rows: Sequence[Row], store: Store, clock: Clock) -> list[Row]:
    """Each row, with the version that runs and since when, why it is parked, and what it did to others."""
    now = clock.now()
    processes: list[dict[str, Any]] = await store.processes(now - SILENT)
    alive = any(each["role"] == "router" and each["alive"] for each in processes)
    known = running_in(await store.meta(RUNNING))
    running = known if alive else {}
    parked = parking.read(await store.meta(parking.KEY))
    counters = await store.counters()
    told = []
    for row in rows:
        name = str(row["name"])
        found = handlers(name, counters, known.get(name, {}).get("places", {}))
        told.append(_row(row, running.get(name, {}), parked.get(name), now) | {"handlers": found})
    return told


def _row(row: Row, runs: Mapping[str, Any], failing: Failing | None, now: int) -> Row:
    told = row | {
        "running": _version(runs),
        "parked": None,
        "left": list(runs.get("left", ())),
    }
    if row["state"] == "parked":  # as it was when somebody else asked
        told |= {"state": "active", "error": None}
    if told["state"] == "active" and runs.get("refused"):
        told |= {"state": "failed", "error": runs["refused"]}
    if told["state"] == "active" and failing is not None and failing.until:  # one success ends it
        due = failing.until <= now
        told["parked"] = {"until": rfc3339(failing.until), "failures": failing.failures, "due": due}
        told["state"] = "parked"
        told["error"] = {"message": failing.reason, "file": failing.file, "line": failing.line}
    return told


def _version(runs: Mapping[str, Any]) -> Row | None:
    if not runs.get("version"):
        return None
    return {"version": runs["version"], "since": rfc3339(runs["since"])}


def handlers(plugin: str, counters: Mapping[str, int], places: Mapping[str, Any]) -> list[Row]:
    """Its handlers that kept the loop from others, or that the router died in: how long, how often, where."""
    found: dict[str, Row] = {}
    for family, key in ((BLOCKED, "blocked_ms"), (DEATHS, "deaths")):
        for counter, count in counters.items():
            owner, _, handler = counter.removeprefix(f"{family}:").rpartition(".")
            if counter.startswith(f"{family}:") and owner == plugin:
                file, line = places.get(handler, (None, None))
                nothing = {"handler": handler, "blocked_ms": 0, "deaths": 0, "file": file, "line": line}
                found.setdefault(handler, nothing)[key] = count
    return [found[handler] for handler in sorted(found)]
