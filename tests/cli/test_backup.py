"""`relay backup`: a copy that is complete or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw
import pytest
from cli.conftest import Relay

from relay.store.sqlite import backup

CONFIG = "--config"


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_copy_has_everything_and_is_its_owners_alone(relay: Relay, filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "relay.db"
    copy.parent.mkdir()
    told = relay("backup", str(copy), CONFIG, str(filled), "--json").json()
    assert told == {"file": str(copy), "bytes": copy.stat().st_size, "messages": 7, "deliveries": 4}
    assert (listing(copy.parent), stat.S_IMODE(copy.stat().st_mode)) == ({"relay.db"}, 0o600)
    other = tmp_path / "copy" / "bot.toml"
    other.write_text(filled.read_text("utf-8"), "utf-8")
    shown = [relay("messages", CONFIG, str(bot), "--json").json() for bot in (filled, other)]
    assert shown[0] == shown[1] != []


def test_a_copy_can_give_back_room_even_where_the_database_cannot(
    relay: Relay, empty: Path, tmp_path: Path
) -> None:
    database = apsw.Connection(str(empty.parent / "relay.db"))
    database.execute("PRAGMA journal_mode = delete; PRAGMA auto_vacuum = none; VACUUM").fetchall()
    assert database.pragma("auto_vacuum") == 0
    database.close()
    assert relay("backup", str(tmp_path / "copy.db"), CONFIG, str(empty)).code == 0
    assert apsw.Connection(str(tmp_path / "copy.db")).pragma("auto_vacuum") == 2


def test_a_file_that_is_there_is_replaced_only_where_that_is_wished(
    relay: Relay, empty: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy.db").write_bytes(b"")
    ended = relay("backup", str(tmp_path / "copy.db"), CONFIG, str(empty))
    assert (ended.code, (tmp_path / "copy.db").read_bytes()) == (1, b"")
    assert "--force" in ended.err
    assert relay("backup", str(tmp_path / "copy.db"), CONFIG, str(empty), "--force").code == 0
    assert (tmp_path / "copy.db").read_bytes()[:6] == b"SQLite"


def test_nothing_but_a_copy_is_ever_replaced(relay: Relay, empty: Path, tmp_path: Path) -> None:
    for dear in (empty, empty.parent / ".env"):
        dear.touch()
        dear.write_bytes(dear.read_bytes() + b"# dear\n")
        before = dear.read_bytes()
        ended = relay("backup", str(dear), CONFIG, str(empty), "--force")
        assert (ended.code, dear.read_bytes()) == (1, before)
    os.mkfifo(tmp_path / "fifo")
    assert relay("backup", str(tmp_path / "fifo"), CONFIG, str(empty), "--force").code == 1
    assert (tmp_path / "fifo").is_fifo()


def test_a_name_that_is_too_long_is_told(relay: Relay, empty: Path, tmp_path: Path) -> None:
    ended = relay("backup", str(tmp_path / ("x" * 300)), CONFIG, str(empty))
    assert (ended.code, "Traceback" in ended.err) == (1, False)


@pytest.mark.parametrize("place", ["relay.db", "relay.db-wal", "relay.db.journal/x", ".", "nowhere/x"])
def test_no_copy_goes_where_it_does_harm_or_cannot_be(relay: Relay, empty: Path, place: str) -> None:
    before = listing(empty.parent)
    ended = relay("backup", str(empty.parent / place), CONFIG, str(empty), "--force", "--json")
    assert (ended.code, set(ended.json())) == (2, {"error", "hint"})
    assert listing(empty.parent) == before


@pytest.mark.parametrize(
    ("exc", "told"),
    [
        (apsw.FullError("full"), "磁盘满了"),
        (OSError(28, "no space"), "磁盘满了"),
        (OSError(13, "no"), "不能写入"),
        (apsw.IOError("torn"), "没有完成：torn"),
    ],
)
def test_a_copy_that_fails_leaves_nothing_and_says_why(
    relay: Relay, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exc: Exception, told: str
) -> None:
    def fail(*_: object) -> None:
        raise exc

    monkeypatch.setattr(backup, "_sync", fail)
    before = listing(tmp_path)
    ended = relay("backup", str(tmp_path / "copy.db"), CONFIG, str(empty))
    assert (ended.code, told in ended.err, listing(tmp_path)) == (1, True, before)


def test_a_database_of_an_older_version_can_be_copied_before_it_is_upgraded(
    relay: Relay, empty: Path, tmp_path: Path
) -> None:
    database = apsw.Connection(str(empty.parent / "relay.db"))
    database.pragma("user_version", 1)
    database.close()
    assert relay("backup", str(tmp_path / "copy.db"), CONFIG, str(empty)).code == 0
    assert apsw.Connection(str(tmp_path / "copy.db")).pragma("user_version") == 1
