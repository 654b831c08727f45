"""The public door: whatever comes is kept, then answered."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from bots import TWO, callback, entry, make_bot, messages, receive, rule, sealed

from relay.receiving.door import create_app
from relay.roles import receiver_settings
from relay.store.sqlite import ingest
from relay.testing import SECRETS, Bot, asgi_call

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]


async def damaged(bot: Bot) -> list[tuple[str, bytes]]:
    await bot.receiver.taken_in()
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
