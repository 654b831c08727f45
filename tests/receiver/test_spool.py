"""Where the disk is slow or full, a callback is in the spool before its answer, and in the database once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bots import callback, entry, eventually, make_bot, messages, rule
from receiver.test_disk import PATH, Stubborn, hurried, ready

from relay.config import load
from relay.store import spool
from relay.store.journal import Journal
from relay.store.spool import IN_MEMORY, folder_of, make_private
from relay.testing import SECRETS, Bot, asgi_call


@asynccontextmanager
async def spooling(folder: Path) -> AsyncIterator[Bot]:
    """A bot with a spool in this folder."""
    (folder / "bot").mkdir(exist_ok=True)
    toml = f'[storage]\nspool = "{folder / "spool"}"\n'
    async with make_bot(toml, folder=folder / "bot") as bot:
        bot.spooling = True
        await bot.restart()
        yield bot


async def post(bot: Bot, svrid: str) -> int:
    return (await asgi_call(bot.door, "POST", PATH, body=callback(entry(svrid))))[0]


async def svrids(bot: Bot) -> list[str]:
    return [str(row["svrid"]) for row in await messages(bot)]


@pytest.mark.parametrize("trouble", ["full", "slow"])
@rule
async def test_what_the_disk_does_not_take_survives_the_process(trouble: str, tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        Stubborn(bot).full = True
        with hurried(bot, answer_within=0.1) as disk:
            disk.full = trouble == "full"
            if trouble == "slow":
                disk.free.clear()
            for svrid in "123":
                assert await post(bot, svrid) == 200
            assert not await ready(bot)
            await bot.restart()
        assert await svrids(bot) == ["1", "2", "3"]
        assert not list((tmp_path / "spool").iterdir())[1:]  # that of the receiver which lives


@rule
async def test_what_disk_and_spool_have_comes_once_and_in_the_order_received(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        with hurried(bot, answer_within=0.1) as disk:
            await post(bot, "1")
            disk.free.clear()
            await post(bot, "2")  # on its way to the disk, and in the spool
            await post(bot, "3")
            disk.free.set()
            await eventually(lambda: ready(bot))
            await post(bot, "4")
        assert await svrids(bot) == ["1", "2", "3", "4"]
        counted = await bot.store.counters()
        assert counted["acked_before_durable_total"] == 2
        assert "duplicates_total" not in counted


@rule
async def test_what_disk_and_spool_both_have_comes_once_after_a_kill(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        Stubborn(bot).full = True
        bodies = [b"not base64", b"nor this", b"not base64"]
        with hurried(bot, answer_within=0.1) as disk:
            disk.free.clear()
            for body in bodies:
                assert (await asgi_call(bot.door, "POST", PATH, body=body))[0] == 200
            disk.free.set()
            await eventually(lambda: on_disk(bot))
            await bot.restart()
        await bot.receiver.taken_in()
        assert sorted(each.body for each in await bot.store.damaged(9)) == sorted(bodies)


async def on_disk(bot: Bot) -> bool:
    return not bot.receiver._journal.busy and bot.receiver._journal.journal._written > 0


@pytest.mark.parametrize("to", ["/elsewhere", ""])
@rule
async def test_what_is_left_in_a_spool_is_found_after_the_spool_was_moved(tmp_path: Path, to: str) -> None:
    async with spooling(tmp_path) as bot:
        Stubborn(bot).full = True
        with hurried(bot, answer_within=0.1) as disk:
            disk.take_nothing()
            await post(bot, "1")
            toml = bot.folder / "bot.toml"
            old = str(tmp_path / "spool")
            toml.write_text(toml.read_text().replace(old, to and f"{tmp_path}{to}"))
            bot.config = load(toml, SECRETS)
            await bot.restart()
        assert await svrids(bot) == ["1"]


@rule
async def test_nothing_goes_into_the_spool_while_the_disk_is_in_time(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        for svrid in "123":
            await post(bot, svrid)
        assert [path.stat().st_size for path in (tmp_path / "spool").iterdir()] == [0]


@rule
async def test_a_disk_that_is_back_is_used_again(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        with hurried(bot, answer_within=0.1) as disk:
            disk.full = True
            await post(bot, "1")
            disk.full = False
            await eventually(lambda: ready(bot))
        await post(bot, "2")
        await bot.receiver.taken_in()
        assert (await bot.store.counters())["acked_before_durable_total"] == 1


@rule
async def test_what_neither_disk_nor_spool_takes_waits_in_memory(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        with hurried(bot, answer_within=0.1) as disk:
            assert bot.receiver._spool is not None
            bot.receiver._spool.journal._care = IN_MEMORY.__class__(IN_MEMORY.sync, most=10)
            disk.full = True
            assert await post(bot, "1") == 200
            disk.full = False
            await eventually(lambda: ready(bot))
        assert await svrids(bot) == ["1"]


@rule
async def test_a_clock_that_was_set_back_loses_nothing_of_what_was_left_in_two_journals(
    tmp_path: Path,
) -> None:
    async with spooling(tmp_path) as bot:
        now, receiver = bot.clock.now(), bot.receiver
        assert receiver._spool is not None
        by_disk, by_spool = ([("1", 0), ("2", 9000), ("3", 1)], [("4", 500)])
        for journal, came in ((receiver._journal.journal, by_disk), (receiver._spool.journal, by_spool)):
            journal.append([(callback(entry(svrid)), now + at) for svrid, at in came])
        await bot.restart()
        assert await svrids(bot) == ["1", "4", "2", "3"]


@rule
async def test_a_bot_that_ends_well_leaves_no_spool(tmp_path: Path) -> None:
    async with spooling(tmp_path) as bot:
        await post(bot, "1")
    assert not (tmp_path / "spool").exists()


def test_it_is_in_memory_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY", tmp_path)
    found = folder_of("auto", tmp_path, tmp_path / "relay.db")
    assert found is not None
    assert found.parent == tmp_path / f"relay-{os.geteuid()}"
    assert found != folder_of("auto", tmp_path, tmp_path / "another.db")
    assert folder_of("", tmp_path, tmp_path / "relay.db") is None
    assert folder_of("s", tmp_path, tmp_path / "relay.db") == tmp_path / "s"
    monkeypatch.setattr(spool, "MEMORY", tmp_path / "none")
    assert folder_of("auto", tmp_path, tmp_path / "relay.db") is None


@pytest.mark.parametrize("fault", ["link", "open", "file"])
def test_a_spool_that_somebody_else_may_have_made_is_refused(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "spool"
    if fault == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif fault == "open":
        folder.mkdir()
        folder.chmod(0o755)
    else:
        folder.touch()
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's to say
        make_private(folder)


def test_a_spool_that_is_ours_alone_is_used_again(tmp_path: Path) -> None:
    make_private(tmp_path / "spool")
    make_private(tmp_path / "spool")
    journal = Journal.create(tmp_path / "spool", "o", IN_MEMORY)
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_both_folders_in_memory_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY", tmp_path)
    (tmp_path / "relay-0").mkdir()
    (tmp_path / "relay-0").chmod(0o777)
    with pytest.raises(PermissionError):
        make_private(tmp_path / "relay-0" / "which")
