"""`relay status`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cli.conftest import ACCOUNT, Relay

from relay.clock import SystemClock
from relay.config import load
from relay.roles import open_store
from relay.store.states import DeliveryState
from relay.store.values import Pause


def test_the_contracts_keys_are_there(relay: Relay, filled: Path) -> None:
    told = relay("status", "--config", str(filled), "--json").json()
    assert list(told)[:4] == ["inbox", "deliveries", "processes", "plugins"]
    assert told["inbox"] == {"waiting": 0}
    assert list(told["deliveries"]) == [str(state) for state in DeliveryState]
    assert told["accounts"] == [ACCOUNT]


def test_every_plugin_is_told_with_its_state(relay: Relay, empty: Path) -> None:
    (empty.parent / "plugins").mkdir()
    (empty.parent / "plugins" / "broken.py").write_text("import nowhere_to_be_found\n", "utf-8")
    disabled = '[plugins]\ndisabled = ["group_mirror"]\n[[plugins.group_mirror'
    empty.write_text(empty.read_text("utf-8").replace("[[plugins.group_mirror", disabled, 1), "utf-8")
    mirror, reply, broken = relay("status", "--config", str(empty), "--json").json()["plugins"]
    assert mirror == {
        "name": "group_mirror",
        "source": "shipped",
        "state": "disabled",
        "error": None,
        "observe": False,
        "running": None,
        "parked": None,
        "left": [],
        "handlers": [],
    }
    assert reply["state"] == "active"
    assert (broken["name"], broken["source"], broken["state"]) == ("broken", "folder", "failed")
    assert broken["error"]["line"] == 1
    assert "ModuleNotFoundError" in broken["error"]["message"]


async def beating(config: Path) -> None:
    store = open_store(load(config), SystemClock())
    await store.beat("router", os.getpid(), {})
    await store.set_pause(Pause(ACCOUNT, SystemClock().now() + 60_000, 1, "407"))
    await store.set_pause(Pause("", 1, 1, "long over"))
    store.close()


def test_processes_and_pauses_are_told(relay: Relay, empty: Path) -> None:
    asyncio.run(beating(empty))
    told = relay("status", "--config", str(empty), "--json").json()
    (process,) = told["processes"]
    assert (process["role"], process["pid"], process["alive"]) == ("router", os.getpid(), True)
    assert process["since"].endswith("Z")
    assert [pause["account"] for pause in told["pauses"]] == [ACCOUNT]
    shown = relay("status", "--config", str(empty)).out
    assert "运行中" in shown
    assert "407" in shown


def test_a_bot_that_does_not_run_is_told_so(relay: Relay, filled: Path) -> None:
    assert "relay run" in relay("status", "--config", str(filled)).out


def test_every_state_is_explained_in_both_languages(relay: Relay, filled: Path) -> None:
    told = relay("status", "--config", str(filled)).out
    assert all(f" {state} " in told for state in DeliveryState)
    assert "平台已受理" in told
