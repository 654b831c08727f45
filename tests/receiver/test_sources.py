"""Who may post to the callback path."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bots import callback, entry, make_bot, rule
from structlog.testing import capture_logs

from relay.config import load
from relay.receiving.sources import PlatformList, Sources, address_of, read_networks, source_of
from relay.simulator.fault import Fault, Kind
from relay.testing import SECRETS, Bot, asgi_call

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]
LIST = "/index/serverIpList"
PROXIES = tuple(read_networks(["10.0.0.0/8", "fd00::/8"])[0])


@contextlib.asynccontextmanager
async def a_bot(allowed: str = '"platform"') -> AsyncIterator[Bot]:
    async with make_bot() as bot:
        path = bot.folder / "bot.toml"
        text = path.read_text("utf-8").replace("[server]", f"[server]\nallowed_ips = [{allowed}]")
        path.write_text(text, "utf-8")
        bot.config = load(path, SECRETS)
        bot.simulator.world.server_ips = ("203.0.113.7",)
        await bot.restart()
        yield bot


async def from_(bot: Bot, address: str) -> int:
    return (await asgi_call(bot.door, "POST", PATH, body=callback(entry()), client=(address, 1)))[0]


async def admitted(bot: Bot, *addresses: str) -> list[bool]:
    return [await from_(bot, each) == 200 for each in addresses]


@rule
async def test_the_platforms_servers_may_post_and_nobody_else() -> None:
    async with a_bot() as bot:
        await bot.work()
        assert await admitted(bot, "203.0.113.7", "203.0.113.8") == [True, False]


@rule
async def test_addresses_of_ones_own_may_post_beside_the_platforms() -> None:
    async with a_bot('"platform", "198.51.100.0/24"') as bot:
        await bot.work()
        assert await admitted(bot, "203.0.113.7", "198.51.100.9", "203.0.113.8") == [True, True, False]


@rule
async def test_until_a_list_was_ever_known_nobody_is_refused_and_that_is_told() -> None:
    async with a_bot() as bot:
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LIST, errcode=1001, times=1000))
        with capture_logs() as logged:
            await bot.work()
        assert await admitted(bot, "203.0.113.7", "203.0.113.8") == [True, True]
        assert "platform_ips_unknown" in [line["event"] for line in logged]


@rule
async def test_a_known_list_holds_over_restarts_though_the_platform_is_silent() -> None:
    async with a_bot() as bot:
        await bot.work()
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LIST, errcode=1001, times=1000))
        await bot.restart()
        await bot.work()
        assert await admitted(bot, "203.0.113.7", "203.0.113.8") == [True, False]


@rule
async def test_a_new_list_is_asked_for_hourly_and_counts_without_a_restart() -> None:
    async with a_bot() as bot:
        await bot.work()
        bot.simulator.world.server_ips = ("203.0.113.8", "2001:db8::/32")
        await bot.pass_time(3500)
        assert await admitted(bot, "203.0.113.7", "203.0.113.8") == [True, False]
        await bot.pass_time(101)
        assert await admitted(bot, "203.0.113.7", "203.0.113.8", "2001:db8::9") == [False, True, True]


@pytest.mark.parametrize("empty", [(), ("localhost", "", "0.0.0.0/0", "::/0", "300.1.1.1")])
@rule
async def test_a_list_with_nothing_usable_never_takes_the_place_of_a_known_one(
    empty: tuple[str, ...],
) -> None:
    async with a_bot() as bot:
        await bot.work()
        bot.simulator.world.server_ips = empty
        await bot.pass_time(3601)
        assert await admitted(bot, "203.0.113.7", "203.0.113.8") == [True, False]


@rule
async def test_garbage_in_the_list_is_left_out_and_told() -> None:
    async with a_bot() as bot:
        bot.simulator.world.server_ips = ("garbage", " 203.0.113.7 ", "198.51.100.9/24", "x" * 9999)
        with capture_logs() as logged:
            await bot.work()
        assert await admitted(bot, "203.0.113.7", "198.51.100.1", "203.0.113.8") == [True, True, False]
        assert {"event": "platform_ips_strange", "log_level": "warning", "count": 2} in logged


@rule
async def test_the_list_is_asked_for_ever_more_rarely_while_that_fails() -> None:
    async with a_bot() as bot:
        bot.simulator.faults.add(Fault(Kind.ERRCODE, path=LIST, errcode=1001, times=1000))
        await bot.work()
        for _ in range(360):
            await bot.pass_time(10)
        asked = [each.path for each in bot.simulator.ledger.requests].count(LIST)
        assert 8 <= asked <= 14


@rule
async def test_nobody_asks_for_a_list_that_is_not_wanted() -> None:
    async with a_bot('"203.0.113.7"') as bot:
        await bot.work()
        assert LIST not in [each.path for each in bot.simulator.ledger.requests]


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", each.encode("latin-1")) for each in forwarded)]
    return {"client": None if peer is None else (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("198.51.100.1", (), "198.51.100.1"),
        ("198.51.100.1", ("203.0.113.7",), "198.51.100.1"),
        ("10.0.0.1", ("203.0.113.7",), "203.0.113.7"),
        ("::ffff:10.0.0.1", ("::ffff:203.0.113.7",), "203.0.113.7"),
        ("fd00::1", ("2001:db8::7",), "2001:db8::7"),
        ("10.0.0.1", ("[2001:db8::7]:443",), "2001:db8::7"),
        ("10.0.0.1", ("203.0.113.7:50000",), "203.0.113.7"),
        ("10.0.0.1", ("192.0.2.1, 203.0.113.7",), "203.0.113.7"),
        ("10.0.0.1", ("192.0.2.1", "203.0.113.7, 10.0.0.2"), "203.0.113.7"),
        ("10.0.0.1", ("203.0.113.7", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("203.0.113.7, unknown",), None),
        ("10.0.0.1", ("203.0.113.7, _hidden",), None),
        ("10.0.0.1", ("203.0.113.7, ",), None),
        ("10.0.0.1", ("",), None),
        ("10.0.0.1", (), None),
        ("10.0.0.1", ("203.0.113.7" + ", 10.0.0.2" * 32,), None),
        ("10.0.0.1", ("\xe4\xb8\xad",), None),
        (None, ("203.0.113.7",), None),
        ("unix", ("203.0.113.7",), None),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours_counts(
    peer: str | None, forwarded: tuple[str, ...], source: str | None
) -> None:
    found = source_of(scope(peer, *forwarded), PROXIES)
    assert (None if found is None else str(found)) == source


def test_by_default_nobody_vouches_for_another_address() -> None:
    assert str(source_of(scope("127.0.0.1", "203.0.113.7"), ())) == "127.0.0.1"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "unknown",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4/8",
        "::ffff:1.2.3.4:5",
        "[::1",
        "[1.2.3.4]]x",
        "0x7f.1",
        "٣.1.1.1",
    ],
)
def test_what_is_no_address_is_none(word: str) -> None:
    assert address_of(word) is None or word in ("[::1", "[1.2.3.4]]x")


class Kept:
    """The facts of a store that another process writes."""

    def __init__(self) -> None:
        self.written: str | None = None
        self.asked = 0

    def version(self) -> int:
        return 0 if self.written is None else len(self.written)

    async def meta(self, _: str) -> str | None:
        self.asked += 1
        return self.written


@rule
async def test_the_receiver_goes_by_a_new_list_at_its_next_look_and_asks_only_after_a_commit() -> None:
    facts, sources = Kept(), Sources((), (), platform=True)
    facts.written = PlatformList(PROXIES, 1).written()
    for _ in range(3):
        await sources.look(facts)
    assert (sources.admit(scope("10.0.0.1")), sources.admit(scope("11.0.0.1"))) == (True, False)
    facts.written = PlatformList(tuple(read_networks(["11.0.0.0/8"])[0]), 1).written()
    await sources.look(facts)
    assert (sources.admit(scope("10.0.0.1")), sources.admit(scope("11.0.0.1"))) == (False, True)
    assert facts.asked == 2
