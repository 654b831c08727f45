"""`relay plugins`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from cli.conftest import Relay

from relay.clock import SystemClock
from relay.config import load
from relay.roles import open_store
from relay.routing import parking
from relay.routing.parking import Failing
from relay.routing.standing import DEATHS, RUNNING


def broken(bot: Path) -> None:
    (bot.parent / "plugins").mkdir()
    (bot.parent / "plugins" / "broken.py").write_text("x = 1\nundefined_name\n", "utf-8")


def test_each_has_name_source_state_and_error(relay: Relay, fresh: Path) -> None:
    broken(fresh)
    mirror, _, last = relay("plugins", "--config", str(fresh), "--json").json()
    assert mirror == {
        "name": "group_mirror",
        "source": "shipped",
        "state": "active",
        "error": None,
        "observe": False,
        "running": None,
        "parked": None,
        "left": [],
        "handlers": [],
    }
    assert (last["name"], last["source"], last["state"]) == ("broken", "folder", "failed")
    assert set(last["error"]) == {"message", "file", "line"}
    assert last["error"]["line"] == 2


def test_people_see_what_is_wrong_below_the_plugin(relay: Relay, fresh: Path) -> None:
    broken(fresh)
    ended = relay("plugins", "--config", str(fresh))
    assert ended.code == 0
    assert "plugins/broken.py:2: NameError" in ended.out
    assert "启用" in ended.out


def test_it_needs_no_database_and_makes_none(relay: Relay, fresh: Path) -> None:
    assert relay("plugins", "--config", str(fresh)).code == 0
    assert not (fresh.parent / "relay.db").exists()


async def parked(config: Path, until: int) -> None:
    """The router died in the mirror's handler five times, the last time just now."""
    store = open_store(load(config), SystemClock())
    failing = Failing(5, "the router died in mirror", "/bot/mirror.py", 7, until, 1, 1)
    await store.set_meta(parking.KEY, json.dumps({"group_mirror": asdict(failing)}))
    places = {"mirror": ["/bot/mirror.py", 7]}
    await store.set_meta(RUNNING, json.dumps({"group_mirror": {"places": places}}))
    await store.count(f"{DEATHS}:group_mirror.mirror", 5)
    store.close()


@pytest.mark.parametrize("until", [1, SystemClock().now() + 600_000], ids=["its time is over", "for now"])
@pytest.mark.parametrize("command", ["plugins", "status"])
def test_a_parked_plugin_is_shown_as_parked_to_people_and_programs(
    relay: Relay, empty: Path, command: str, until: int
) -> None:
    asyncio.run(parked(empty, until))
    told = relay(command, "--config", str(empty), "--json").json()
    mirror = (told if command == "plugins" else told["plugins"])[0]
    assert (mirror["name"], mirror["state"]) == ("group_mirror", "parked")
    assert mirror["error"] == {"message": "the router died in mirror", "file": "/bot/mirror.py", "line": 7}
    assert mirror["parked"]["due"] is (until == 1)
    shown = relay(command, "--config", str(empty), columns=200).out
    assert "搁置" in shown
    assert ("下一次调用再试" if until == 1 else "搁置到") in shown
    assert "/bot/mirror.py:7: the router died in mirror" in shown
    assert "路由进程在 mirror(/bot/mirror.py:7) 里退出过 5 次" in shown
