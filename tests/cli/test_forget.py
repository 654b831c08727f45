"""`relay forget`: of what a person said, nothing is left in the files, and no repeated push is acted on."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from bots import ANN, BEN, EAST, MIRROR, ONE, entry, make_bot, receive
from cli.conftest import Relay, Terminal

from relay.cli import forget
from relay.simulator.clockwork import START
from relay.testing import ManualClock

SECRET = "the-combination-is-4711"
LONG = SECRET + "-and-so-on" * 2000
REPLY = """
[[plugins.keyword_reply.rules]]
name = "said"
contains = ["combination"]
reply = "you said {text}"
cooldown = "1s"
cooldown_per = "sender"
"""
Telling = Callable[..., Path]


async def _tell(folder: Path, open_: bool) -> None:
    async with make_bot(MIRROR + REPLY, folder=folder, configured=True) as bot:
        for number in range(9):
            bot.simulator.say(EAST, BEN, f"something else {number} " * 50)
            bot.simulator.say(EAST, ANN, SECRET if number % 3 else LONG)
            await bot.work()
            bot.clock.jump(2)
        bot.simulator.say(ONE, ANN, SECRET)
        await bot.pass_time(120)
        await receive(bot, entry("77", SECRET, msg_time=bot.clock.now()))
        if open_:
            await bot.router.drain()
            return
        await bot.pass_time(120)


@pytest.fixture(scope="module")
def confidants(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """The folders of bots that were told, each made once; nobody works in them."""

    @functools.cache
    def make(open_: bool) -> Path:
        folder = tmp_path_factory.mktemp("told")
        asyncio.run(_tell(folder, open_))
        return folder

    return make


@pytest.fixture
def told(tmp_path: Path, confidants: Callable[[bool], Path]) -> Telling:
    """The bot.toml of a bot to which Ann has told a secret, in a room and in private."""

    def make(*, open_: bool = False) -> Path:
        shutil.copytree(confidants(open_), tmp_path, dirs_exist_ok=True)
        return tmp_path / "bot.toml"

    return make


def in_the_files(config: Path, *words: str) -> list[str]:
    files = b"".join(path.read_bytes() for path in config.parent.glob("relay.db*") if path.is_file())
    return [word for word in words if word.encode() in files]


@pytest.mark.parametrize("fresh", [True, False])
def test_nothing_of_what_was_said_is_left_in_the_files(
    relay: Relay, told: Telling, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    config = told()
    if fresh:  # as long as echoes may come, shells stay
        monkeypatch.setattr(forget, "SystemClock", lambda: ManualClock(START + 600_000))
    assert in_the_files(config, SECRET) == [SECRET]
    row = relay("forget", ANN, "--yes", "--json", "--config", str(config)).json()
    assert (row["messages"], row["names"], row["plugin_state"], row["log_cut"]) == (12, 1, 1, True)
    assert in_the_files(config, SECRET, SECRET[4:], "-and-so-on") == []
    assert in_the_files(config, "something else") != []
    shown = relay("messages", "--config", str(config), "--json", "--limit", "1000").json()
    senders = Counter(row["sender"] for row in shown)
    assert (set(senders) - {""}, senders[""] > 9) == ({BEN, ONE}, fresh)
    assert len(relay("deliveries", "--config", str(config), "--json", "--limit", "1000").json()) >= 9
    assert relay("retry", "d2", "--config", str(config), "--json").code == 1


def test_nothing_is_left_while_the_bot_runs_either(relay: Relay, told: Telling) -> None:
    config = told()
    reader = apsw.Connection(str(config.parent / "relay.db"))
    assert reader.execute("SELECT count(*) FROM messages").fetchall()
    assert relay("forget", ANN, "--yes", "--config", str(config)).code == 0
    assert in_the_files(config, SECRET, SECRET[4:]) == []
    reader.close()


def test_a_repeated_push_is_not_acted_on_and_the_bot_goes_on(relay: Relay, told: Telling) -> None:
    config = told()
    assert relay("forget", ANN, "--yes", "--config", str(config)).code == 0

    async def go_on() -> None:
        async with make_bot(MIRROR + REPLY, folder=config.parent, configured=True) as bot:
            bot.clock.jump(400)
            before = await bot.store.deliveries(limit=1)
            await receive(bot, entry("77", SECRET, msg_time=bot.clock.now()))
            await bot.work()
            assert (await bot.store.deliveries(limit=1))[0]["id"] == before[0]["id"]
            await receive(bot, entry("78", "hello", from_wxid=BEN, msg_time=bot.clock.now()))
            await bot.work()
            assert (await bot.store.deliveries(limit=1))[0]["id"] != before[0]["id"]

    asyncio.run(go_on())


def test_what_is_still_to_be_sent_is_dropped_only_where_that_is_wished(relay: Relay, told: Telling) -> None:
    config = told(open_=True)
    ended = relay("forget", ANN, "--config", str(config), "--json")
    assert (ended.code, "--yes" in ended.json()["hint"]) == (1, True)
    assert in_the_files(config, SECRET) == [SECRET]
    assert relay("forget", ANN, "--yes", "--config", str(config), "--json").json()["discarded"] == 1
    assert in_the_files(config, SECRET) == []


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_a_person_decides(
    relay: Relay, told: Telling, terminal: Terminal, answer: str, code: int
) -> None:
    config = told()
    terminal(answer)
    ended = relay("forget", ANN, "--config", str(config))
    assert (ended.code, bool(in_the_files(config, SECRET))) == (code, bool(code))
    assert code or "backups" not in ended.out
    assert code or "备份" in ended.out


@pytest.mark.parametrize("wxid", [EAST, ONE, ""])
def test_rooms_and_our_own_accounts_are_no_person(relay: Relay, told: Telling, wxid: str) -> None:
    config = told()
    ended = relay("forget", wxid, "--yes", "--config", str(config), "--json")
    assert (ended.code, set(ended.json())) == (2, {"error", "hint"})


def test_what_was_said_is_not_fetched_again(relay: Relay, told: Telling) -> None:
    config = told()
    connection = apsw.Connection(str(config.parent / "relay.db"))
    try:
        rows = [(ONE, ANN, "", 1, 2, 3), (ONE, EAST, "", 1, 2, 3)]
        connection.executemany("INSERT INTO repairs VALUES (?, ?, ?, ?, ?, ?)", rows)
        relay("forget", ANN, "--yes", "--config", str(config))
        assert connection.execute("SELECT chat FROM repairs").fetchall() == [(EAST,)]
    finally:
        connection.close()


def test_who_never_said_anything_is_forgotten_at_once(relay: Relay, empty: Path) -> None:
    row = relay("forget", ANN, "--yes", "--config", str(empty), "--json").json()
    assert (row["messages"], row["deliveries"], row["names"]) == (0, 0, 0)


def test_somebody_of_whom_nothing_is_known_may_be_a_typing_error(relay: Relay, filled: Path) -> None:
    ended = relay("forget", "7881300000009999", "--config", str(filled), "--yes")
    assert (ended.code, "编号写对了吗" in ended.out) == (0, True)
