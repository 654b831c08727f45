"""Who may come in, and what is put on every answer."""

from __future__ import annotations

import asyncio

import pytest
from console.conftest import KEY, PASSWORD, Ask, Door
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from relay.console.refusals import HEADERS
from relay.testing import asgi_call


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {PASSWORD}", f"Bearer {PASSWORD}x", PASSWORD, "Bearer \xe4"],
)
@pytest.mark.parametrize("path", ["/api/status", "/api/messages", "/api/nope", "/api"])
def test_without_the_password_nothing_under_api_is_told(ask: Ask, path: str, authorization: str) -> None:
    status, told = ask(path, {"authorization": authorization} if authorization else {})
    assert status == 401
    assert set(told) == {"error", "hint"}


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8081", "[::1]:8081", "LOCALHOST", "localhost.:8081"]
)
def test_our_own_hosts_are_served(ask: Ask, host: str) -> None:
    assert ask("/api/status", {**KEY, "host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "127.0.0.1.evil.test",
        "localhost@evil.test",
        "evil.test#localhost",
        "10.0.0.1",
        "evil.test.",
        "localhost..",
        "localhost:8o81",
        "localhost:99999",
        "[::1%25lo]",
        "2130706433",
        "127.1",
        "",
        "[::1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/status", "/static/console.css"])
def test_another_host_is_refused(ask: Ask, path: str, host: str) -> None:
    """A name that a foreign page lets point here (DNS rebinding) is nobody's business of ours."""
    status, told = ask(path, {**KEY, "host": host})
    assert status == 421
    assert set(told) == {"error", "hint"}


def test_the_host_in_the_configuration_is_ours(door: Door) -> None:
    app = door.with_console(host="Bot.internal")
    status, _ = asyncio.run(asgi_call(app, "GET", "/", headers={"host": "bot.internal:8081"}))
    assert status == 200


def test_an_empty_password_opens_nothing(door: Door) -> None:
    app = door.with_console(password=SecretStr(""))
    status, _ = asyncio.run(asgi_call(app, "GET", "/api/status", headers={"authorization": "Bearer "}))
    assert status == 401


@pytest.mark.parametrize("path", ["/nope", "/static/nope.css", "/api/nope", "/apix"])
def test_an_unknown_path_is_404_as_json(ask: Ask, path: str) -> None:
    status, told = ask(path)
    assert status == 404
    assert set(told) == {"error", "hint"}


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.test"]])
def test_exactly_one_host_is_named(door: Door, hosts: list[str]) -> None:
    async def with_hosts(scope: Scope, receive: Receive, send: Send) -> None:
        others = [header for header in scope["headers"] if header[0] != b"host"]
        named = [(b"host", each.encode()) for each in hosts]
        await door.app({**scope, "headers": [*others, *named]}, receive, send)

    assert asyncio.run(asgi_call(with_hosts, "GET", "/", headers=KEY))[0] == 421


@pytest.mark.parametrize(
    "path", ["/api/nope", "/api/messages/m999", "/api/deliveries/d999/retry", "/metrics/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_without_the_password_nothing_tells_what_there_is(ask: Ask, path: str, method: str) -> None:
    assert ask(path, {}, method) == ask("/api/status", {}, method)
    assert ask(path, {}, method)[0] == 401


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "NONSENSE"])
@pytest.mark.parametrize("path", ["/", "/api/status", "/static/console.css"])
def test_there_are_three_methods_and_no_answer_to_other_origins(ask: Ask, path: str, method: str) -> None:
    asked = {**KEY, "origin": "https://evil.test", "access-control-request-method": "GET"}
    status, told = ask(path, asked, method)
    assert status == 405
    assert "GET, HEAD, POST" in told["hint"]


@pytest.mark.parametrize("path", ["/API/status", "//api/status", "/x/../api/status", "/api\\status"])
def test_there_is_no_way_around_the_guard(ask: Ask, path: str) -> None:
    assert ask(path, {})[0] == 404


def test_another_method_is_405_as_json(ask: Ask) -> None:
    status, told = ask("/api/status", method="POST")
    assert status == 405
    assert set(told) == {"error", "hint"}


@pytest.mark.parametrize("path", ["/", "/api/status", "/nope", "/static/console.css"])
@pytest.mark.parametrize("headers", [{}, KEY, {"host": "evil.test"}])
def test_every_answer_has_the_security_headers_and_none_for_other_origins(
    door: Door, path: str, headers: dict[str, str]
) -> None:
    got = asyncio.run(headers_of(door.app, path, {"origin": "https://evil.test", **headers}))
    assert HEADERS.items() <= {name.title(): value for name, value in got.items()}.items()
    assert not [name for name in got if name.startswith("access-control")]


async def headers_of(app: Starlette, path: str, headers: dict[str, str]) -> dict[str, str]:
    got: dict[str, str] = {}

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                got.update({k.decode(): v.decode() for k, v in message["headers"]})
            await send(message)

        await app(scope, receive, note)

    await asgi_call(listening, "GET", path, headers=headers)
    return got


def test_the_page_is_in_the_bots_language_and_runs_no_script(ask: Ask) -> None:
    status, told = ask("/", {})
    assert status == 200
    assert 'lang="en"' in told
    assert "/api/deliveries" in told
    assert "<script" not in told
    assert "style=" not in told
