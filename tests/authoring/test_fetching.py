"""Requests that plugins make: never into the machine's own network, always over in time."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiohttp.resolver import ThreadedResolver
from bots import rule

from relay import FetchError, fetch
from relay.authoring import fetching
from relay.authoring.fetching import is_public


class Server(ThreadingHTTPServer):
    """A web server of this test, and all that it was asked."""

    asked: list[tuple[str, str, dict[str, str], bytes]]
    hold = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    """`/to/URL` leads there by 307, `/see/URL` by 303; `/slow` never answers; `/big` is 3 MB."""

    server: Server

    def do_POST(self) -> None:  # noqa: N802, RUF100 - the same
        """Any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/slow":
            self.server.hold.wait(5)
            return
        way, _, to = self.path[1:].partition("/")
        answer = b"x" * (3 << 20) if self.path == "/big" else b'{"a": 1}'
        self.send_response({"to": 307, "see": 303, "moved": 302}.get(way, 200))
        if way in ("to", "see", "moved"):
            self.send_header("Location", to)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815 - the name that the library asks for

    def log_message(self, *_: Any) -> None:  # noqa: ANN401, RUF100 - as the library has it
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Page)
    made.asked = []
    made.hold.clear()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.hold.set()
    made.shutdown()
    made.server_close()
    thread.join()


def named(monkeypatch: pytest.MonkeyPatch, **hosts: str) -> None:
    """Let these names be at these addresses."""

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": hosts[host], "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)


@rule
async def test_a_request_to_a_service_of_ones_own_is_made_where_that_is_meant(server: Server) -> None:
    answer = await fetch(f"{server.url}/x", json={"text": "好"}, headers={"X-Key": "1"}, private=True)
    assert (answer.ok, answer.status, answer.json()) == (True, 200, {"a": 1})
    ((method, path, headers, body),) = server.asked
    assert (method, path, headers["X-Key"], json.loads(body)) == ("POST", "/x", "1", {"text": "好"})


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    ],
)
def test_an_address_that_is_not_public_is_none(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "localhost", "user@127.0.0.1"),
        *("127.1", "2130706433", "0x7f000001", "0177.0.0.1"),  # as some read addresses
    ],
)
@rule
async def test_nothing_is_asked_of_the_machines_own_network(server: Server, host: str) -> None:
    with pytest.raises(FetchError, match=r"not (a|at a) public address|Error"):
        await fetch(f"http://{host}:{server.server_port}/")
    assert server.asked == []


@rule
async def test_a_name_that_is_at_a_private_address_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, innocent="127.0.0.1")
    with pytest.raises(FetchError, match="innocent is not at a public address"):
        await fetch(f"http://innocent:{server.server_port}/")
    assert server.asked == []


@rule
async def test_a_redirect_to_a_private_address_is_not_followed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host passes for public here; the one that it leads to does not."""
    named(monkeypatch, outside="127.0.0.1", inside="127.0.0.2")
    monkeypatch.setattr(fetching, "is_public", lambda address: str(address) == "127.0.0.1")
    port = server.server_port
    for target in (f"http://inside:{port}/", f"http://127.0.0.2:{port}/"):
        with pytest.raises(FetchError, match="public address"):
            await fetch(f"http://outside:{port}/to/{target}")
    assert [path.partition("/to/")[0] for _, path, _, _ in server.asked] == ["", ""]


@rule
async def test_a_redirect_is_followed_with_what_may_go_there(server: Server) -> None:
    secret = {"Authorization": "Bearer x"}
    other = server.url.replace("127.0.0.1", "localhost")
    await fetch(f"{server.url}/to/{server.url}/same", json=1, headers=secret, private=True)
    await fetch(f"{server.url}/to/{other}/elsewhere", json=1, headers=secret, private=True)
    await fetch(f"{server.url}/see/{server.url}/got", json=1, headers=secret, private=True)
    came = [
        (m, p, "Authorization" in h, b) for m, p, h, b in server.asked if not p.startswith(("/to", "/see"))
    ]
    assert came == [
        ("POST", "/same", True, b"1"),
        ("POST", "/elsewhere", False, b"1"),
        ("GET", "/got", True, b""),
    ]


@rule
async def test_redirects_come_to_an_end(server: Server) -> None:
    here = f"{server.url}/to/"
    with pytest.raises(FetchError, match="more than 5 redirects"):
        await fetch(here * 9 + "/", private=True)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "//example.com", "http://", "x"])
@rule
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchError, match="not an http or https address"):
        await fetch(url, private=True)


@rule
async def test_a_request_is_over_in_its_time(server: Server) -> None:
    with pytest.raises(FetchError, match=r"no answer within 0\.2 s"):
        await fetch(f"{server.url}/slow", timeout=0.2, private=True)


@rule
async def test_a_huge_answer_is_cut(server: Server) -> None:
    assert len((await fetch(f"{server.url}/big", private=True)).body) == 1 << 20


@rule
async def test_an_answer_that_is_no_json_is_an_error(server: Server) -> None:
    answer = await fetch(f"{server.url}/big", private=True)
    with pytest.raises(FetchError, match="not JSON"):
        answer.json()
