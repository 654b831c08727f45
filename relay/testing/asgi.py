"""Requests to an ASGI app in this process: no socket, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from relay.sending.attempts import NoAnswer
from relay.wire.answers import Answer, read_answer


async def asgi_call(
    app: Any,  # noqa: ANN401, RUF100 - any ASGI app
    method: str,
    path: str,
    *,
    body: bytes = b"",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    client: tuple[str, int] = ("127.0.0.1", 50000),
) -> tuple[int, bytes]:
    """One request to an ASGI app, without a socket: status and body."""
    told = await _exchange(app, method, path, body, query or {}, headers or {}, client)
    return told.status, told.body


@dataclass(frozen=True, slots=True)
class _Told:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def _exchange(  # noqa: PLR0913, RUF100 - what a request is made of
    app: Any,  # noqa: ANN401, RUF100 - any ASGI app
    method: str,
    path: str,
    body: bytes,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    client: tuple[str, int] = ("127.0.0.1", 50000),
) -> _Told:
    parts: list[bytes] = []
    status, said = 0, dict[str, str]()
    told = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return told.pop() if told else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        said.update(
            (name.decode().lower(), value.decode("latin-1")) for name, value in message.get("headers", ())
        )
        parts.append(message.get("body", b""))

    named = {"host": "127.0.0.1", "content-length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": client,
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return _Told(status, said, b"".join(parts))


class AsgiTransport:
    """Reaches the platform's ASGI app in this process, through the client's own reading of answers."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401, RUF100 - any ASGI app
        self._app = app

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, answered at once, or hung up on."""
        try:
            told = await _exchange(self._app, method, path, body, query or {}, {})
        except ConnectionError as exc:
            return NoAnswer(True, type(exc).__name__)
        answer = read_answer(told.status, told.body)
        return replace(
            answer, retry_after=told.headers.get("retry-after", ""), date=told.headers.get("date", "")
        )

    async def close(self) -> None:
        """There is nothing to let go of."""
