"""The JSON API tells what the commands tell."""

from __future__ import annotations

import asyncio

import pytest
from console.conftest import ACCOUNT, EAST, KEY, WEST, Ask, Door

from relay.console.app import create_console
from relay.errors import StorageError
from relay.operating.report import Report, plugin_rows
from relay.roles import load_plugins
from relay.testing import asgi_call


def test_status_has_the_contracts_keys(ask: Ask) -> None:
    status, told = ask("/api/status")
    assert status == 200
    assert list(told)[:4] == ["inbox", "deliveries", "processes", "plugins"]
    assert [plugin["name"] for plugin in told["plugins"]] == ["group_mirror", "keyword_reply"]


def test_messages_and_deliveries_are_those_of_the_commands(ask: Ask, door: Door) -> None:
    report = Report(door.config, door.store, door.clock)
    plugins = plugin_rows(door.config, load_plugins(door.config))
    assert ask("/api/messages") == (200, asyncio.run(report.messages()))
    assert ask("/api/deliveries") == (200, asyncio.run(report.deliveries()))
    assert ask("/api/status") == (200, asyncio.run(report.status(plugins)))


def test_parameters_choose(ask: Ask) -> None:
    assert {row["chat"] for row in ask(f"/api/messages?chat={EAST}")[1]} == {EAST}
    assert len(ask("/api/messages?limit=1&chat=&since=1h")[1]) == 1
    (delivery,) = ask("/api/deliveries?chat=west&message=m1&state=accepted")[1]
    assert (delivery["target"], delivery["account"]) == (WEST, ACCOUNT)
    assert ask("/api/deliveries?state=failed,held")[1] == []


@pytest.mark.parametrize(
    "query",
    [
        *("messages?chat=eats", "messages?since=x", "messages?limit=0", "messages?state=queued"),
        *("deliveries?state=helt", "deliveries?message=x", "deliveries?chat=no", "status?x=1"),
    ],
)
def test_a_wrong_parameter_is_400_with_a_hint(ask: Ask, query: str) -> None:
    status, told = ask(f"/api/{query}")
    assert status == 400
    assert set(told) == {"error", "hint"}
    assert told["hint"]


def test_a_store_that_does_not_answer_is_503_without_its_details(door: Door) -> None:
    app = create_console(door.config, Broken(), load_plugins(door.config))  # type: ignore[arg-type] # breaks first
    status, body = asyncio.run(asgi_call(app, "GET", "/api/status", headers=KEY))
    assert status == 503
    assert b"disk" not in body


class Broken:
    """A store whose disk is gone."""

    async def counts(self) -> None:
        raise StorageError("the disk is gone")
