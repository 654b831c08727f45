"""Nobody holds the public door open for nothing, and every refusal arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
import structlog
from bots import callback, entry, eventually, make_bot, messages, rule
from receiver.door import GOOD, PATH, Door, head, post, serving, statuses

from relay.receiving.sources import read_networks
from relay.serving.connections import MOST_HEAD, MOST_HEADERS, MOST_PIPELINED
from relay.serving.crowd import Limits
from relay.testing import Bot

HURRIED = Limits(within=0.2)
BODY = post(b"x" * 1000)


async def kept(bot: Bot) -> tuple[int, int]:
    """How many messages, and how many bodies that could not be read."""
    damaged = await bot.store._db.read(lambda db: db.execute("SELECT count(*) FROM damaged").fetchall())
    return len(await messages(bot)), int(str(damaged[0][0]))


async def cut(door: Door, sent: bytes) -> bool:
    """Whether a connection on which this came is ended by the other side, without an answer."""
    reader, writer = await door.open()
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.read() == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n", b"PO", head()[:-2], head(headers="content-length: 9\r\n"), BODY[:-1]],
    ids=["nothing", "a line", "a word", "half a head", "no body", "half a body"],
)
@rule
async def test_who_does_not_finish_a_request_in_time_is_cut(sent: bytes) -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        assert await cut(door, sent)
        assert await kept(bot) == (0, 0)


@rule
async def test_who_sends_a_byte_now_and_then_is_cut_no_later() -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        reader, writer = await door.open()
        for byte in BODY:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
            if reader.at_eof() or reader.exception():
                break
        else:
            pytest.fail("all of it was heard")
        writer.close()


@rule
async def test_time_begins_anew_with_each_request_of_a_connection() -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        reader, writer = await door.open()
        for _ in range(6):
            writer.write(post(last=False))
            assert statuses(await reader.readuntil(b'{"errcode":0}')) == [200]
            await asyncio.sleep(0.08)  # 0.48 s in all
        writer.write(post(last=False)[:-1])
        assert await reader.read() == b""
        writer.close()


@rule
async def test_a_kept_connection_with_nothing_under_way_is_not_slow() -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        reader, writer = await door.open()
        writer.write(post(last=False))
        await reader.readuntil(b'{"errcode":0}')
        await asyncio.sleep(0.5)
        writer.write(post())
        assert statuses(await reader.read()) == [200]
        writer.close()


@rule
async def test_slow_clients_do_not_keep_good_ones_waiting() -> None:
    async with make_bot() as bot, serving(bot, Limits(within=4.0)) as door:
        slow = [asyncio.create_task(cut(door, sent)) for sent in (b"", b"PO", BODY[:-9], head()[:-2]) * 25]
        for number in range(20):
            async with asyncio.timeout(3):
                assert statuses(await door.talk(post(callback(entry(str(number)))))) == [200]
        assert await asyncio.gather(*slow) == [True] * 100
        assert await kept(bot) == (20, 0)


@rule
async def test_many_that_are_cut_make_one_line_in_the_log() -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        with structlog.testing.capture_logs() as logged:
            await asyncio.gather(*[cut(door, b"PO") for _ in range(10)])

            async def told() -> bool:
                return sum(int(line.get("slow", 0)) for line in logged) == 10

            await eventually(told)
        assert len(logged) <= 3
        assert {line["event"] for line in logged} == {"connections_cut"}


@rule
async def test_where_no_connection_fits_any_more_the_one_that_waited_longest_goes() -> None:
    async with make_bot() as bot, serving(bot, Limits(connections=10)) as door:
        slow = [await door.open() for _ in range(10)]
        assert statuses(await door.talk(post())) == [200]
        async with asyncio.timeout(3):
            assert await slow[0][0].read() == b""
        assert not slow[-1][0].at_eof()
        for _, writer in slow:
            writer.close()


@rule
async def test_where_no_connection_fits_any_more_idle_ones_go_before_who_has_just_come() -> None:
    async with make_bot() as bot, serving(bot, Limits(connections=10)) as door:
        idle = [await door.open() for _ in range(9)]
        for reader, writer in idle:
            writer.write(post(last=False))
            await reader.readuntil(b'{"errcode":0}')
        come = [await door.open() for _ in range(3)]
        for reader, writer in come:
            writer.write(post(last=False))
            assert statuses(await reader.readuntil(b'{"errcode":0}')) == [200]
        assert await idle[0][0].read() == b""
        for _, writer in idle + come:
            writer.close()


@rule
async def test_unfinished_bodies_are_bounded_all_together_and_the_oldest_goes_first() -> None:
    async with make_bot() as bot, serving(bot, Limits(unread=250_000)) as door:
        part = head(headers="content-length: 1000000\r\n") + b"x" * 100_000
        slow = [await door.open() for _ in range(3)]
        for place, (_, writer) in enumerate(slow):
            writer.write(part)

            async def arrived(count: int = min(place + 1, 2)) -> bool:
                return door.server.crowd.unread == 100_000 * count

            await eventually(arrived)
        with contextlib.suppress(ConnectionError):
            assert await slow[0][0].read() == b""
        assert not slow[1][0].at_eof()
        assert statuses(await door.talk(post())) == [200]
        for _, writer in slow:
            writer.close()


@rule
async def test_who_does_not_read_its_answers_is_cut() -> None:
    async with make_bot() as bot, serving(bot, HURRIED) as door:
        reader, writer = await door.open()
        writer.write(post(last=False))
        await reader.readuntil(b'{"errcode":0}')
        (connection,) = door.server.server_state.connections
        connection.pause_writing()  # as its transport says when 64 KB are unread
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()


@rule
async def test_pipelined_requests_are_bounded() -> None:
    async with make_bot() as bot, serving(bot) as door:
        answers = statuses(await door.talk(b"GET /healthz HTTP/1.1\r\n\r\n" * 10_000))
        assert answers == [200] * (MOST_PIPELINED + 1)


@rule
async def test_pipelined_callbacks_are_answered_in_their_order() -> None:
    bodies = [callback(entry(str(number))) for number in range(5)]
    parts = [post(body, last=body is bodies[-1]) for body in bodies]
    wrong = post(path="/nothing", last=False)
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(b"".join(parts))) == [200] * 5
        assert await kept(bot) == (5, 0)
        assert statuses(await door.talk(parts[0][:-7].replace(b"close", b"x"), parts[0][-7:] + wrong)) == [
            200,
            404,
        ]


@rule
async def test_a_callback_is_answered_before_the_garbage_behind_it() -> None:
    async with make_bot() as bot, serving(bot) as door:
        answers = await door.talk(post(last=False) + b"\0\0\0 garbage")
        assert statuses(answers) == [200]
        assert await kept(bot) == (1, 0)


@rule
async def test_who_has_finished_sending_is_answered_all_the_same() -> None:
    async with make_bot() as bot, serving(bot) as door:
        for sent, status in ((post(last=False), 200), (post(last=False)[:-1], 400)):
            reader, writer = await door.open()
            writer.write(sent)
            writer.write_eof()
            assert statuses(await reader.read()) == [status]
            writer.close()
        assert await kept(bot) == (1, 0)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(headers=f"a: {'x' * MOST_HEAD}\r\n"), 431),
        (head(headers=f"a: {'x' * MOST_HEAD * 9}"), 431),
        (b"GET /" + b"x" * MOST_HEAD * 9, 431),
        (b"\r\n" * MOST_HEAD, 431),
        (head(headers="a: b\r\n" * (MOST_HEADERS + 1)), 400),
        (
            head(headers=f"a: {'x' * 60_000}\r\ncontent-length: {len(GOOD)}\r\nconnection: close\r\n") + GOOD,
            200,
        ),
    ],
    ids=[
        "a long header",
        "an endless one",
        "an endless address",
        "endless lines",
        "many headers",
        "under the bound",
    ],
)
@rule
async def test_heads_are_bounded(sent: bytes, status: int) -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(sent)) == [status]


CHUNKED = head(headers="transfer-encoding: chunked\r\n")


@pytest.mark.parametrize(
    "rest",
    [b"0\r\n" + b"a: b\r\n" * 100_000, b"0\r\na: " + b"x" * 500_000, b"1;" + b"x" * 500_000],
    ids=["trailers", "a trailer", "an extension"],
)
@rule
async def test_what_is_around_a_chunked_body_is_bounded(rest: bytes) -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(CHUNKED, rest)) == [400]
        assert await kept(bot) == (0, 0)


@rule
async def test_a_chunked_callback_with_trailers_is_kept() -> None:
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(GOOD[at : at + 7]), GOOD[at : at + 7]) for at in range(0, len(GOOD), 7)
    )
    async with make_bot() as bot, serving(bot) as door:
        sent = CHUNKED.replace(b"host", b"connection: close\r\nhost") + chunks + b"0\r\nx: 7\r\n\r\n"
        assert statuses(await door.talk(sent)) == [200]
        assert await kept(bot) == (1, 0)


@rule
async def test_what_a_trailer_says_of_the_source_is_nobodys_word() -> None:
    theirs, ours = read_networks(["203.0.113.7", "127.0.0.1"])[0]
    sent = CHUNKED.replace(b"host", b"x-forwarded-for: 198.51.100.1\r\nhost")
    async with make_bot() as bot, serving(bot, allowed_ips=(theirs,), trusted_proxies=(ours,)) as door:
        assert statuses(await door.talk(sent + b"0\r\nx-forwarded-for: 203.0.113.7\r\n\r\n")) == [403]


@pytest.mark.parametrize(
    "headers",
    [
        "content-length: -3\r\n",
        "content-length: +3\r\n",
        "content-length: 0x3\r\n",
        "content-length: 3\r\ncontent-length: 3\r\n",
        "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: 3, 3\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, gzip\r\n",
        "content-length : 3\r\n",
        "a: b\0c\r\n",
        "\xe4: b\r\n",
        "a: b\r\n c: d\r\n",
    ],
)
@rule
async def test_a_request_whose_end_is_in_doubt_is_refused_and_not_kept(headers: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(head(headers=headers), post(b"abc"))) == [400]
        assert await kept(bot) == (0, 0)


@pytest.mark.parametrize(
    "line",
    [
        "POST /\xe4 HTTP/1.1",
        "FOO / HTTP/1.1",
        "PRI * HTTP/2.0",
        "CONNECT a:1 HTTP/1.1",
        "?",
    ],
)
@rule
async def test_what_is_no_http_1_is_refused(line: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(head(line))) == [400]


@rule
async def test_a_callback_that_offers_another_protocol_is_kept() -> None:
    """Java's HttpClient offers HTTP/2 with its first request, and httptools drops the body of such."""
    upgrade = (
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    )
    one, two = (callback(entry(svrid)) for svrid in "12")
    async with make_bot() as bot, serving(bot) as door:
        first = post(one, headers=upgrade, last=False)
        assert statuses(await door.talk(first + post(two))) == [200, 200]
        assert statuses(await door.talk(first[:80], first[80:-5], first[-5:], post(two))) == [200, 200]
        assert await kept(bot) == (2, 0)


@rule
async def test_a_web_socket_is_not_opened() -> None:
    headers = (
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n"
    )
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(head("GET /nothing HTTP/1.1", headers))) == [404]


def endless(line: str, headers: str = "") -> bytes:
    return head(line, f"transfer-encoding: chunked\r\n{headers}")


REFUSALS: Sequence[tuple[str, str, int]] = (
    ("wrong path", f"POST {PATH}x HTTP/1.1", 404),
    ("wrong method", f"PUT {PATH} HTTP/1.1", 404),
    ("health", "GET /healthz HTTP/1.1", 200),
    ("too large", f"POST {PATH} HTTP/1.1", 413),
)


@pytest.mark.parametrize(("line", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
@rule
async def test_who_sends_without_an_end_is_answered_and_not_listened_to(line: str, status: int) -> None:
    part = b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"
    async with make_bot() as bot, serving(bot, Limits(lingering_bytes=1_000_000), max_body=100_000) as door:
        _, writer = await door.open()
        writer.write(endless(line))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                writer.write(part)
                await writer.drain()
                sent += len(part)
        assert sent < 20_000_000  # what the two sockets hold, and not much more
        assert not door.server.server_state.connections
        writer.close()


@pytest.mark.parametrize(("line", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
@rule
async def test_who_is_still_sending_gets_the_answer(line: str, status: int) -> None:
    async with make_bot() as bot, serving(bot, max_body=100_000) as door:
        body = b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"
        assert statuses(await door.talk(endless(line) + body * 64, body * 64)) == [status]


@rule
async def test_who_asks_before_sending_is_told_before_sending() -> None:
    expecting = "expect: 100-continue\r\n"
    async with make_bot() as bot, serving(bot, max_body=1000) as door:
        reader, writer = await door.open()
        sent = post(headers=expecting)
        writer.write(sent[: -len(GOOD)])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(GOOD)
        assert statuses(await reader.read()) == [200]
        writer.close()
        for refused in (post(b"x" * 1001, headers=expecting), post(path="/x", headers=expecting)):
            assert statuses(await door.talk(refused.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"))[0] in (404, 413)
