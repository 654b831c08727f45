"""The public door: whatever comes is kept, then answered."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from typing import Any

import pytest
import structlog
from bots import TWO, callback, entry, eventually, make_bot, messages, receive, rule, sealed

from relay.errors import StorageError
from relay.receiver import MOST_LATE, create_app
from relay.roles import receiver_settings
from relay.store.sqlite import ingest
from relay.testing import SECRETS, Bot, asgi_call

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]


async def damaged(bot: Bot) -> list[tuple[str, bytes]]:
    return await bot.store._db.read(
        lambda db: [(row[0], row[1]) for row in db.execute("SELECT reason, body FROM damaged ORDER BY id")]
    )


@rule
async def test_a_callback_is_on_disk_when_it_is_answered() -> None:
    async with make_bot() as bot:
        assert await asgi_call(bot.door, "POST", PATH, body=callback(entry())) == (200, b'{"errcode":0}')
        await bot.restart()
        assert [row["svrid"] for row in await messages(bot)] == ["1"]


@rule
async def test_the_received_entry_is_kept_byte_for_byte() -> None:
    raw = b'{ "svrid":"1" , "chat_wxid":"R:1","content":{"a":1.10,"a":NaN,"b":"\\ud800"},"new":[1E400] }'
    async with make_bot() as bot:
        await bot.push(sealed(b'[{"type":"chatMsg","rel_wxid":"1","data":[' + raw + b"]}]"))
        kept = await bot.store._db.read(lambda db: db.execute("SELECT raw FROM messages").fetchall())
        assert kept == [(raw,)]


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 64, b"not base64!", sealed(b"7"), sealed(b'[{"type":'), callback(entry())[:-3], b"{}"],
)
@rule
async def test_a_body_that_cannot_be_read_is_answered_alike_and_kept(body: bytes) -> None:
    async with make_bot() as bot:
        assert await asgi_call(bot.door, "POST", PATH, body=body) == (200, b'{"errcode":0}')
        assert len(await damaged(bot)) == 1


@pytest.mark.parametrize("odd", ["text", 7, None, True, ["x"], [], 1.5])
@rule
async def test_an_entry_that_is_no_object_costs_none_of_its_neighbours(odd: object) -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"), odd, entry("2"))
        await bot.work()
        assert [row["svrid"] for row in await messages(bot)] == ["1", "2"]
        assert [reason for reason, _ in await damaged(bot)] == ["entry"]


@rule
async def test_unknown_kinds_of_events_are_kept_and_counted() -> None:
    async with make_bot() as bot:
        await receive(bot, {"who": "knows"}, "text", kind="somethingNew")
        await receive(bot, {"svrid": "1"}, kind="taskDone")
        kept = await bot.store._db.read(lambda db: db.execute("SELECT kind, raw FROM events").fetchall())
        assert kept == [
            ("somethingNew", b'{"who": "knows"}'),
            ("somethingNew", b'"text"'),
            ("taskDone", b'{"svrid": "1"}'),
        ]
        counted = await bot.store.counters()
        assert (counted["events_total:somethingNew"], counted["events_total:taskDone"]) == (2, 1)


@pytest.mark.parametrize(("size", "kept"), [(1, 100), (30, 33), (999, 1), (5000, 1)])
@rule
async def test_damaged_bodies_are_bounded_in_number_and_size(
    size: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "DAMAGED_KEPT", 100)
    monkeypatch.setattr(ingest, "DAMAGED_BYTES", 1000)
    async with make_bot() as bot:
        for number in range(130):
            await bot.push(bytes([number]) * size)
        bodies = [body for _, body in await damaged(bot)]
        assert [body[0] for body in bodies] == list(range(130 - kept, 130))
        assert sum(map(len, bodies)) <= 1000


@rule
async def test_every_account_that_a_callback_names_is_ours() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"), account=TWO)
        await receive(bot, entry("2", wxid="1688850000000009"), account="")
        assert await bot.store.accounts() == [TWO, "1688850000000009"]


class Stubborn:
    """A disk that takes nothing while it is `full`, and nothing for a while where it is `locked`."""

    def __init__(self, bot: Bot) -> None:
        self.store = bot.store
        self.full = False
        self.unlocked = asyncio.Event()
        self.unlocked.set()
        bot.receiver._store = self

    def __getattr__(self, name: str) -> Any:
        async def write(*args: Any, **more: Any) -> Any:
            await self.unlocked.wait()
            if self.full:
                raise StorageError("the disk is full")
            return await getattr(self.store, name)(*args, **more)

        return write


def hurried(bot: Bot, *, most_late: int = MOST_LATE) -> Stubborn:
    """Let the receiver answer after next to no time, whatever its disk does."""
    bot.receiver._settings = replace(bot.receiver._settings, answer_within=0.01, most_late=most_late)
    return Stubborn(bot)


async def ready(bot: Bot) -> bool:
    status, body = await asgi_call(bot.door, "GET", "/readyz")
    assert (status, body) in (
        (200, b'{"ready":true,"reasons":[]}'),
        (503, b'{"ready":false,"reasons":["storage"]}'),
    )
    return status == 200


@pytest.mark.parametrize("trouble", ["full", "locked"])
@pytest.mark.parametrize("body", [callback(entry()), b"not base64!"], ids=["good", "bad"])
@rule
async def test_a_callback_that_the_disk_refuses_is_answered_and_written_later(
    trouble: str, body: bytes
) -> None:
    async with make_bot() as bot:
        disk = hurried(bot)
        disk.full = trouble == "full"
        if trouble == "locked":
            disk.unlocked.clear()
        assert await bot.push(body) == 200
        assert not await ready(bot)
        disk.full = False
        disk.unlocked.set()
        await eventually(lambda: ready(bot))
        assert len(await messages(bot)) + len(await damaged(bot)) == 1
        assert (await bot.store.counters())["acked_before_durable_total"] == 1


@rule
async def test_what_the_disk_takes_late_counts_as_received_when_it_came() -> None:
    async with make_bot() as bot:
        came, disk = bot.clock.now(), hurried(bot)
        disk.full = True
        await receive(bot, entry())
        bot.clock.jump(7200)
        disk.full = False
        await eventually(lambda: ready(bot))
        kept = await bot.store._db.read(lambda db: db.execute("SELECT received_at FROM messages").fetchall())
        assert kept == [(came,)]


@rule
async def test_whom_the_disk_refused_goes_before_whoever_came_later() -> None:
    async with make_bot() as bot:
        disk = hurried(bot)
        disk.full = True
        await receive(bot, entry("1"))
        disk.full = False
        await receive(bot, entry("2"))
        await eventually(lambda: ready(bot))
        assert [row["svrid"] for row in await messages(bot)] == ["1", "2"]


@rule
async def test_what_waits_for_the_disk_is_bounded_and_the_rest_is_counted_as_lost() -> None:
    async with make_bot() as bot:
        disk = hurried(bot, most_late=len(callback(entry("1"))))
        disk.full = True
        for svrid in "123":
            assert await bot.push(callback(entry(svrid))) == 200
        disk.full = False
        await eventually(lambda: ready(bot))
        await receive(bot, entry("4"))
        assert [row["svrid"] for row in await messages(bot)] == ["1", "4"]
        counted = await bot.store.counters()
        assert (counted["acked_before_durable_total"], counted["lost_total"]) == (1, 2)


@pytest.mark.parametrize("back", [True, False])
@rule
async def test_at_the_end_what_waits_for_the_disk_is_tried_once_more(back: bool) -> None:
    async with make_bot() as bot:
        disk = hurried(bot)
        disk.full = True
        await receive(bot, entry())
        disk.full = not back
        with structlog.testing.capture_logs() as logged:
            await bot.receiver.finish(1)
        assert len(await messages(bot)) == back
        assert [line["event"] for line in logged] == ([] if back else ["callback_lost"])


@rule
async def test_at_the_end_nobody_waits_for_ever() -> None:
    async with make_bot() as bot:
        hurried(bot).unlocked.clear()
        await receive(bot, entry())
        with structlog.testing.capture_logs() as logged:
            await bot.receiver.finish(0.01)
        assert [line["event"] for line in logged] == ["callback_lost"]


@rule
async def test_an_unforeseen_error_is_no_reason_to_refuse_a_callback() -> None:
    class Broken:
        async def ingest(self, entries: Any, **_: Any) -> int:
            raise RuntimeError("nobody thought of this") if entries else StorageError("nor of that")

    async with make_bot() as bot:
        hurried(bot)
        bot.receiver._store = Broken()  # type: ignore[assignment] # the two calls are all it needs
        assert await asgi_call(bot.door, "POST", PATH, body=callback(entry())) == (200, b'{"errcode":0}')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 200),
        ("HEAD", PATH, 200),
        ("PUT", PATH, 404),
        ("POST", PATH + "/", 404),
        ("POST", PATH[:-1], 404),
        ("POST", "/", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("HEAD", "/healthz", 200),
        ("POST", "/healthz", 404),
        ("DELETE", "/readyz", 404),
        ("GET", "/metrics", 404),
    ],
)
@rule
async def test_the_public_door_has_the_callback_path_and_health_and_nothing_else(
    method: str, path: str, status: int
) -> None:
    async with make_bot() as bot:
        assert (await asgi_call(bot.door, method, path))[0] == status


@pytest.mark.parametrize(
    ("max_body", "headers", "status"),
    [
        (1000, {"content-length": "1001"}, 413),
        (1000, {"content-length": "1"}, 413),  # it lies, and is found out
        (1000, {"content-length": ""}, 413),
        (1001, {}, 200),
    ],
)
@rule
async def test_a_body_over_the_limit_is_refused_and_not_kept(
    max_body: int, headers: dict[str, str], status: int
) -> None:
    async with make_bot() as bot:
        door = create_app(bot.receiver, replace(receiver_settings(bot.config), max_body=max_body))
        assert (await asgi_call(door, "POST", PATH, body=b"x" * 1001, headers=headers))[0] == status
        assert len(await damaged(bot)) == (status == 200)


@rule
async def test_a_body_declared_too_large_is_refused_before_it_is_read() -> None:
    async def receive() -> Any:
        raise AssertionError("it was read")

    async with make_bot() as bot:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-length", b"99999999999")]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "client": ("1.2.3.4", 1)}
        await bot.door({**scope, "query_string": b""}, receive, send)
        assert sent[0]["status"] == 413


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("203.0.113.7", None, 200),
        ("::ffff:203.0.113.7", None, 200),
        ("203.0.114.7", None, 403),
        ("203.0.114.7", "203.0.113.7", 403),  # nobody vouches for that header
        ("10.0.0.1", "203.0.113.7", 200),
        ("10.0.0.1", "203.0.113.7, 198.51.100.1", 403),  # the nearest address counts, not the first
        ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.2", 200),
        ("10.0.0.1", "nonsense", 403),
        ("10.0.0.1", None, 403),
        ("unix", None, 403),
    ],
)
@rule
async def test_only_allowed_addresses_reach_the_callback_path(
    peer: str, forwarded: str | None, status: int
) -> None:
    async with make_bot() as bot:
        settings = replace(
            receiver_settings(bot.config),
            allowed_ips=(ipaddress.ip_network("203.0.113.0/24"),),
            trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),),
        )
        headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
        door = create_app(bot.receiver, settings)
        answer = await asgi_call(
            door, "POST", PATH, body=callback(entry()), headers=headers, client=(peer, 1)
        )
        assert answer[0] == status
        assert len(await messages(bot)) == (status == 200)


@rule
async def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind() -> None:
    told = [{"type": "http.request", "body": callback(entry())[:20], "more_body": True}]

    async def receive() -> Any:
        return told.pop() if told else {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("there is nobody to answer")

    async with make_bot() as bot:
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "client": ("1.2.3.4", 1)}
        await bot.door({**scope, "query_string": b""}, receive, send)
        assert (await messages(bot), await damaged(bot)) == ([], [])
