"""`GET /metrics`: what the bot's numbers are, and who may read them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from console.conftest import KEY, PASSWORD, Ask, Door
from console.test_guard import headers_of
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette

from relay.console.metrics import METRICS, written
from relay.console.snapshot import NOTHING as NO_FIGURES
from relay.console.snapshot import Snapshot
from relay.operating.diagnosis import REASONS
from relay.store.states import DeliveryState
from relay.testing import asgi_call

ALARMS = re.compile(r"\b(relay_[a-z0-9_]+)(?=[\[{ ])")
TOKEN = "a-token-for-metrics"
NOTHING = Snapshot(0, 0, {}, {}, {}, 0, 0, False)


def told(text: bytes) -> dict[str, dict[str, float]]:
    """Every sample by its metric's name and its label's value, read as Prometheus reads it."""
    return {
        family.name: {next(iter(s.labels.values()), ""): s.value for s in family.samples}
        for family in text_string_to_metric_families(text.decode())
    }


def seen(**known: object) -> dict[str, dict[str, float]]:
    return told(written(replace(NOTHING, **known)))  # type: ignore[arg-type] # named as they are


def test_every_metric_is_told_with_its_meaning_though_nothing_happened_yet() -> None:
    text = written(NOTHING).decode()
    for measured in METRICS:
        assert f"# HELP {measured.name} {measured.help}" in text
        assert f"# TYPE {measured.name} {measured.kind}" in text
    assert told(written(NOTHING))["relay_lost"] == {"": 0}


def test_names_are_ours_and_end_as_prometheus_wants_it() -> None:
    assert all(each.name.startswith("relay_") for each in METRICS)
    assert all(each.name.endswith("_total") is (each.kind == "counter") for each in METRICS)


def test_they_say_what_the_store_says(ask: Ask) -> None:
    status, text = ask("/metrics")
    assert status == 200
    numbers = told(text.encode())
    assert numbers["relay_deliveries"] == {str(s): float(s == "accepted") for s in DeliveryState}
    assert numbers["relay_messages"] == {"routed": 1, "skipped": 0, "set_aside": 0}
    assert numbers["relay_accounts"] == {"": 1}


def test_the_age_of_the_first_in_line_and_pauses_are_told() -> None:
    waits = replace(NO_FIGURES, waiting_since=30_000)
    assert seen(now=90_000, figures=waits)["relay_inbox_oldest_seconds"] == {"": 60}
    assert seen(now=1, figures=waits)["relay_inbox_oldest_seconds"] == {"": 0}
    assert seen(paused=2, platform_paused=True)["relay_platform_paused"] == {"": 1}


def test_words_from_outside_are_no_labels() -> None:
    hostile = {f'events_total:{number}\n"}} x{{': 1 for number in range(1000)}
    hostile |= {"events_total:taskDone": 3, "damaged_total:json": 2, "damaged_total:Wei Li <7881>": 5}
    numbers = seen(counters=hostile)
    assert numbers["relay_events"] == {"chatMsgSendFail": 0, "contacts": 0, "taskDone": 3, "other": 1000}
    assert numbers["relay_damaged"] == dict.fromkeys(REASONS, 0) | {"json": 2, "other": 5}


def test_every_reason_is_told_at_zero_so_that_an_alarm_sees_the_first_one() -> None:
    assert seen()["relay_damaged"] == dict.fromkeys((*REASONS, "other"), 0)


@pytest.fixture
def with_token(door: Door) -> Starlette:
    return door.with_console(metrics_token=SecretStr(TOKEN))


@pytest.mark.parametrize(
    ("path", "secret", "status"),
    [
        *(
            ("/metrics", TOKEN, 200),
            ("/metrics", PASSWORD, 200),
            ("/metrics", "", 401),
            ("/metrics", "x", 401),
        ),
        *(("/api/status", TOKEN, 401), ("/api/openapi.json", TOKEN, 401), ("/metrics/", TOKEN, 401)),
        *(("/metrics/x", "", 401), ("/metrics/x", PASSWORD, 404)),
    ],
)
def test_the_token_opens_the_metrics_and_nothing_else(
    with_token: Starlette, path: str, secret: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    assert asyncio.run(asgi_call(with_token, "GET", path, headers=headers))[0] == status


def test_without_a_token_in_the_configuration_none_opens_them(door: Door) -> None:
    app = door.with_console()
    assert asyncio.run(asgi_call(app, "GET", "/metrics", headers={"authorization": "Bearer "}))[0] == 401


def test_prometheus_knows_what_it_reads(door: Door) -> None:
    got = asyncio.run(headers_of(door.app, "/metrics", dict(KEY)))
    assert got["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_alarm_is_about_a_metric_that_there_is(readme: str) -> None:
    text = (Path(__file__).parents[2] / readme).read_text("utf-8")
    alarms = {name for row in text.splitlines() if row.startswith("| `") for name in ALARMS.findall(row)}
    assert len(alarms) > 8
    assert alarms <= {each.name for each in METRICS}
