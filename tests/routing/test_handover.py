"""Files for the living router are there until it takes them, and no longer: bot.toml may hold secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relay.routing.handover import Handover

FILES = {"bot.toml": b"secret = 1", "/plugins/a.py": bytes(range(256))}


@pytest.fixture
def handover(tmp_path: Path) -> Handover:
    return Handover(tmp_path / "relay.db")


def test_the_newest_that_was_offered_is_taken_once(tmp_path: Path, handover: Handover) -> None:
    handover.offer({"bot.toml": b"older"})
    handover.offer(FILES)
    assert (tmp_path / "relay.db.plugins").stat().st_mode & 0o077 == 0
    assert handover.taken() == FILES
    assert handover.taken() is None
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_of_what_was_cut_off_in_any_of_its_steps(tmp_path: Path, handover: Handover) -> None:
    for ending in (".plugins", ".plugins.new", ".plugins.taken"):
        (tmp_path / f"relay.db{ending}").write_text("{}")
    handover.withdraw()
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_router_did_not_come_to_read_goes_and_what_is_offered_stays(
    tmp_path: Path, handover: Handover
) -> None:
    (tmp_path / "relay.db.plugins.taken").write_text("{}")
    handover.offer(FILES)
    handover.begin()
    assert [each.name for each in tmp_path.iterdir()] == ["relay.db.plugins"]
    assert handover.taken() == FILES


@pytest.mark.parametrize("held", ["", "[", '"x"', "[1]", '{"a": 1}', "\udce9"])
def test_what_cannot_be_read_is_nothing_and_does_not_stay(
    tmp_path: Path, handover: Handover, held: str
) -> None:
    (tmp_path / "relay.db.plugins").write_bytes(os.fsencode(held))
    assert handover.taken() is None
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_whole_leaves_nothing(
    tmp_path: Path, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        handover.offer(FILES)
    assert list(tmp_path.iterdir()) == []
