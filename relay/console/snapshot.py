"""What the store says at one moment; none of it takes longer for what lies behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.clock import Clock
from relay.operating.running import SILENT
from relay.routing import parking
from relay.sending.lanes import EVERYBODY, OUTAGE, in_force
from relay.sending.patience import measured
from relay.store.protocol import Store
from relay.store.values import Figures

ROLES = ("receiver", "router", "sender", "console")
NOTHING = Figures(None, None, {}, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts, counters and ages, as they are `now`."""

    now: int
    waiting: int
    deliveries: Mapping[str, int]
    counters: Mapping[str, int]
    alive: Mapping[str, int]
    accounts: int
    paused: int
    platform_paused: bool
    outage: bool = False
    echo_p99: int | None = None
    figures: Figures = NOTHING
    parked: Mapping[str, int] = field(default_factory=dict)  #: plugins that failed in a row; 1 for the parked

    def family(self, name: str) -> dict[str, int]:
        """The counters of a family, by what stands behind the colon."""
        return {key[len(name) + 1 :]: n for key, n in self.counters.items() if key.startswith(f"{name}:")}

    def age(self, since: int | None) -> float:
        """Seconds since then; 0 where there is nothing that is so old."""
        return 0 if since is None else max(0, self.now - since) / 1000


async def snapshot(store: Store, clock: Clock) -> Snapshot:
    """Ask the store."""
    now = clock.now()
    counts: dict[str, Any] = await store.counts()
    processes: list[dict[str, Any]] = await store.processes(now - SILENT)
    pauses = [each for each in await store.pauses() if in_force(each, now)]
    paused = {pause.account for pause in pauses}
    outages = [each for each in pauses if each.account == EVERYBODY and each.reason.startswith(OUTAGE)]
    return Snapshot(
        now=now,
        waiting=counts["inbox"]["waiting"],
        deliveries=counts["deliveries"],
        counters=await store.counters(),
        alive={role: sum(each["role"] == role and each["alive"] for each in processes) for role in ROLES},
        accounts=len(await store.accounts()),
        paused=len(paused - {EVERYBODY}),
        platform_paused=EVERYBODY in paused,
        outage=bool(outages),
        echo_p99=await measured(store),
        figures=await store.figures(),
        parked={
            name: int(each.until > now) for name, each in parking.read(await store.meta(parking.KEY)).items()
        },
    )
