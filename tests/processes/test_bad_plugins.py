"""No plugin makes an answer late or a request doubtful (contract 4.7): with real processes, under load."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from processes.bad_plugins import DIES, FAILS, HANGS, MENAGERIE, WORD, BadPlugin, named
from processes.live import CUSTOMER, TEAMS, LiveBot, account, platform, rooms, until

from benchmarks.callbacks import Talk
from benchmarks.load import Order, Report, push
from relay.simulator.app import Simulator
from relay.simulator.fault import Fault, Kind
from relay.testing import SECRETS

SECOND = 1000.0  # ms: the platform's
REPLY_WITHIN = 10_000  # ms, from receipt to the request's start
RULES = 21  # one customer's message in so many gets a reply: in every chat in turn
PLACES = [(account(team), f"788130000{team}{number:07}") for number in range(25) for team in range(TEAMS)]
ECHOES = 2  # of our own accounts, after each message: as where rooms are mirrored to two others
TALK = Talk(["hello {n}"] * (RULES - 1) + ["what price, {n}?"], PLACES, echoes=ECHOES)
KEY = SECRETS["RELAY_AES_KEY"].encode()
FATE = {DIES: "set_aside", HANGS: "set_aside"}


@dataclass(frozen=True)
class Ordeal:
    """What became of a bot with a bad plugin."""

    report: Report
    poison: dict[str, Any]
    trace: list[dict[str, Any]]
    waits: list[int]
    deliveries: dict[str, int]
    doubtful: int


def rows(bot: LiveBot, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(bot.folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def order(bot: LiveBot, rate: float, seconds: float) -> Order:
    return Order(bot.public, f"/callback/{SECRETS['RELAY_CALLBACK_SECRET']}", rate, seconds)


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def install(bot: LiveBot, bad: BadPlugin) -> None:
    (bot.folder / "plugins").mkdir(exist_ok=True)
    (bot.folder / "plugins" / "bad.py").write_text(bad.source)
    rewrite(bot, "[delivery]", '[plugins]\norder = ["bad", "group_mirror", "keyword_reply"]\n[delivery]')


def rewrite(bot: LiveBot, old: str, new: str) -> None:
    text = bot.config.read_text()
    assert text.count(old) == 1
    bot.config.write_text(text.replace(old, new))


def settled(bot: LiveBot) -> bool:
    waiting = "SELECT count(*) FROM messages WHERE state = 'waiting'"
    return rows(bot, waiting) == [(0,)] and delivered(bot)


def delivered(bot: LiveBot) -> bool:
    moving = "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'sending', 'unknown', 'accepted')"
    return rows(bot, moving) == [(0,)]


async def suffer(folder: Path, bad: BadPlugin, rate: float, seconds: float) -> Ordeal:
    """Run the bot under load, poison it early on, and wait until all is settled."""
    async with platform(folder) as (simulator, bot):
        for _, customer in PLACES:
            simulator.add_contact(customer, customer)
        install(bot, bad)
        await bot.start()
        load = asyncio.create_task(push(order(bot, rate, seconds), TALK, KEY))
        await until(lambda: rows(bot, "SELECT count(*) FROM messages")[0][0] > rate)
        simulator.say(rooms(0)[0], CUSTOMER, WORD)
        report = await load
        await until(lambda: settled(bot), 60)
        ordeal = await look(bot, report)
        assert await bot.stop() == 0
    return ordeal


WAITS = """
SELECT min(attempts.started_at) - messages.received_at FROM attempts
JOIN deliveries ON deliveries.id = attempts.delivery JOIN messages ON messages.id = deliveries.message
WHERE deliveries.plugin = 'keyword_reply' GROUP BY deliveries.id
"""


async def look(bot: LiveBot, report: Report) -> Ordeal:
    ((number,),) = rows(bot, f"SELECT id FROM messages WHERE chat = '{rooms(0)[0]}'")
    poison = await bot.command("explain", f"m{number}")
    return Ordeal(
        report=report,
        poison=poison,
        trace=poison["trace"],
        waits=[int(row[0]) for row in rows(bot, WAITS)],
        deliveries=dict(rows(bot, "SELECT state, count(*) FROM deliveries GROUP BY 1")),
        doubtful=int(rows(bot, "SELECT count(*) FROM attempts WHERE outcome <> 'taken'")[0][0]),
    )


def check(ordeal: Ordeal, bad: BadPlugin, log: str) -> None:
    """The whole promise; on a machine that keeps it for `HARMLESS` plugins at that rate too."""
    count = len(ordeal.report.pushes)
    assert ordeal.report.outcomes() == {"answered": count}
    assert ordeal.report.late(SECOND) == []
    assert len(ordeal.waits) == -(-count // (1 + ECHOES)) // RULES
    assert max(ordeal.waits) < REPLY_WITHIN
    assert set(ordeal.deliveries) == {"delivered"}
    assert ordeal.doubtful == 0
    assert ordeal.poison["state"] == FATE.get(bad.ends, "routed")
    assert ordeal.trace[0]["decision"] == {FAILS: "error"}.get(bad.ends, FATE.get(bad.ends, "no"))
    assert log.count('"event": "message_set_aside"') == (bad.ends in FATE)


def test_a_plugin_that_kills_its_process_delays_no_answer_and_spoils_no_reply(tmp_path: Path) -> None:
    (bad,) = named("os._exit")
    ordeal = asyncio.run(suffer(tmp_path, bad, 100, 2))
    check(ordeal, bad, (tmp_path / "bot.log").read_text())


@pytest.mark.long
@pytest.mark.parametrize("bad", MENAGERIE, ids=lambda bad: bad.name)
def test_no_bad_plugin_does_so_at_1000_callbacks_a_second(tmp_path: Path, bad: BadPlugin) -> None:
    ordeal = asyncio.run(suffer(tmp_path, bad, 1000, 20))
    check(ordeal, bad, (tmp_path / "bot.log").read_text(errors="replace"))


# -- requests on their way -----------------------------------------------------


async def die_meanwhile(simulator: Simulator, bot: LiveBot) -> None:
    """Let the router die while the platform has requests, and have these answered only then."""
    simulator.faults.add(Fault(Kind.HANG, path="/wechat/sendMessage", times=None))
    for team in range(1, TEAMS):
        simulator.say(rooms(team)[0], CUSTOMER, "what price?")
    under_way = "SELECT count(*) FROM deliveries WHERE state = 'sending' AND kind = 'send'"
    await until(lambda: rows(bot, under_way)[0][0] >= TEAMS - 1)
    simulator.say(rooms(0)[0], CUSTOMER, WORD)
    died = '"event": "role_died"'
    await until(lambda: died in (bot.folder / "bot.log").read_text())
    assert rows(bot, under_way)[0][0] >= TEAMS - 1
    simulator.faults.clear()


def test_a_request_on_its_way_is_settled_as_if_the_router_had_not_died(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            install(bot, named("segmentation fault")[0])
            rewrite(bot, 'timeout = "2s"', 'timeout = "60s"')
            await bot.start()
            await die_meanwhile(simulator, bot)
            await until(lambda: delivered(bot), 60)
            attempted = "SELECT state, attempts, count(*) FROM deliveries WHERE kind = 'send' GROUP BY 1, 2"
            assert rows(bot, attempted) == [("delivered", 1, TEAMS - 1)]
            assert await bot.stop() == 0

    asyncio.run(go())


# -- the control ---------------------------------------------------------------

BUSY = BadPlugin(
    "busy for a while", "until = time.monotonic() + 2\nwhile time.monotonic() < until: pass", FAILS
)


@pytest.mark.long
def test_the_same_plugin_in_the_receivers_process_makes_answers_late(tmp_path: Path) -> None:
    async def go() -> Report:
        async with platform(tmp_path) as (_, bot):
            install(bot, BUSY)
            rewrite(bot, 'timeout = "2s"', f'accounts = ["{account(0)}"]')
            script = Path(__file__).with_name("one_process.py")
            serving = await asyncio.create_subprocess_exec(
                sys.executable, str(script), str(bot.config), env=bot.environment
            )
            try:
                await until(lambda: listens(bot.public))
                talk = Talk([WORD] + ["hello {n}"] * 999, PLACES)
                return await push(order(bot, 100, 1.5), talk, KEY)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    serving.kill()
                await serving.wait()

    report = asyncio.run(go())
    assert len(report.late(SECOND)) > 50
