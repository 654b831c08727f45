"""Room that is given up when the disk is full, and taken back when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from bots import callback, entry, eventually, make_bot, messages, rule
from receiver.test_disk import PATH

from relay.errors import StorageError
from relay.store import ballast as ballasts
from relay.store.ballast import SIZE, Ballast
from relay.testing import asgi_call


def test_it_takes_its_room_while_there_is_enough(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "relay.db")
    ballast.tend()
    assert ballast.path.stat().st_blocks * 512 >= SIZE
    assert (ballast.drop(), ballast.drop()) == (True, False)
    ballast.tend()
    assert [path.name for path in tmp_path.iterdir()] == ["relay.db.ballast"]


def test_a_disk_that_does_not_even_say_what_is_there_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bool:
        raise OSError(5, "the disk")

    monkeypatch.setattr(Path, "exists", fail)
    Ballast(tmp_path / "relay.db").tend()


def test_on_a_disk_that_is_about_to_be_full_it_takes_none_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ballasts, "LOW_WATER", 2**63)
    ballast = Ballast(tmp_path / "relay.db")
    with structlog.testing.capture_logs() as logged:
        ballast.tend()
        ballast.tend()
    assert [line["event"] for line in logged] == ["disk_low"]
    assert list(tmp_path.iterdir()) == []


@rule
async def test_a_full_disk_makes_it_go_overboard_and_the_work_go_on() -> None:
    async with make_bot() as bot:
        ballast = Ballast(bot.config.database)
        ballast.tend()
        store: Any = bot.store
        ingest = store.ingest_journal

        async def full(*given: Any) -> None:
            if ballast.path.exists():
                raise StorageError("no room", full=True)
            await ingest(*given)

        store.ingest_journal = full
        await asgi_call(bot.door, "POST", PATH, body=callback(entry()))

        async def there() -> bool:
            return len(await messages(bot)) == 1

        await eventually(there)
        assert not ballast.path.exists()
