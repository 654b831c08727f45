"""`relay plugins`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Relay


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
