"""Talk to the platform: one session, one token for everybody, and the truth about what was sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import aiohttp
import structlog

from relay.clock import Clock
from relay.log import Masking
from relay.sending.attempts import CONFIGURATION_CODES, TOKEN_CODES, NoAnswer, classify
from relay.sending.dates import PlatformClock
from relay.store.states import AttemptOutcome
from relay.wire.answers import Answer, read_answer, read_token
from relay.wire.requests import token_body

log = structlog.get_logger("relay.client")

REFRESH_AT = 0.8  # of a token's life
MOST_ANSWER_BYTES = 4 * 1024 * 1024
MOST_HEADER = 100  # characters of one that is read
# Shorter than the platform's own, whatever it is: on a connection that it has
# closed already, a request looks sent although nothing arrived.
KEEP_ALIVE = 4.0
TOKENS_KEPT = 4  # late answers may name a token that has been replaced
JSON = {"Content-Type": "application/json; charset=utf-8"}


class Transport(Protocol):
    """Carries one request; in tests it reaches the simulator without a socket."""

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, never repeated; a `NoAnswer` says whether a byte of it went out."""

    async def close(self) -> None:
        """Let go of every connection."""


@dataclass(slots=True)
class _Progress:
    sent: bool = False


class HttpTransport:
    """aiohttp with a deadline over the whole call, no redirects and no retries of its own."""

    def __init__(self, base_url: str, timeout: float, connections: int = 100) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(method, path, body, query or {}, progress)
        except TimeoutError:
            return NoAnswer(progress.sent, f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # The class and never the words: these may hold the address with its query.
            return NoAnswer(progress.sent, type(exc).__name__)

    async def _exchange(
        self, method: str, path: str, body: bytes, query: Mapping[str, str], progress: _Progress
    ) -> Answer:
        async with self._open().request(
            method,
            self._base + path,
            data=body or None,
            params=query,
            headers=JSON if body else None,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            content = await response.content.read(MOST_ANSWER_BYTES)
            if not response.content.at_eof():
                content += await _rest(response, MOST_ANSWER_BYTES - len(content))
            told = read_answer(response.status, content)
            asked, date = (response.headers.get(each, "")[:MOST_HEADER] for each in ("Retry-After", "Date"))
            return replace(told, retry_after=asked, date=date)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_headers_sent)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE),
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=[trace],
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _headers_sent(_: aiohttp.ClientSession, context: object, __: object) -> None:
    progress = getattr(context, "trace_request_ctx", None)
    if isinstance(progress, _Progress):
        progress.sent = True


async def _rest(response: aiohttp.ClientResponse, room: int) -> bytes:
    parts = []
    while room > 0 and (part := await response.content.read(room)):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the platform."""

    app_id: str
    app_secret: str

    def __repr__(self) -> str:
        return f"Credentials(app_id={self.app_id!r}, app_secret='***')"


class Client:
    """Requests with a token: fetched by one at a time, refreshed early, and once more when it is refused."""

    def __init__(self, transport: Transport, credentials: Credentials, clock: Clock) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self.platform = PlatformClock(clock)
        self._fetching: asyncio.Task[str | Answer | NoAnswer] | None = None
        self._token = ""
        self._tokens: deque[str] = deque(maxlen=TOKENS_KEPT)
        self._refresh_at = 0

    @property
    def app_id(self) -> str:
        """What every body and query names us by."""
        return self._credentials.app_id

    async def post(self, path: str, compose: Callable[[str], bytes]) -> Answer | NoAnswer:
        """POST what `compose` makes of the token."""
        return await self._with_token(lambda token: self._request("POST", path, body=compose(token)))

    async def get(self, path: str, query: Mapping[str, str]) -> Answer | NoAnswer:
        """GET with `query`, to which app_id and token are added."""

        def send(token: str) -> Awaitable[Answer | NoAnswer]:
            asked = {**query, "app_id": self.app_id, "access_token": token}
            return self._request("GET", path, query=asked)

        return await self._with_token(send)

    async def _request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        asked_at = self._clock.steady()
        answer = await self._transport.request(method, path, body=body, query=query)
        if isinstance(answer, Answer):
            self.platform.heard(answer.date, asked_at)
        return answer

    async def _with_token(self, send: Callable[[str], Awaitable[Answer | NoAnswer]]) -> Answer | NoAnswer:
        token = await self._current_token()
        if not isinstance(token, str):
            return token
        answer = await send(token)
        if _refuses_token(answer):
            token = await self._new_token(token)
            answer = await send(token) if isinstance(token, str) else token
        return self._masked(answer)

    def _masked(self, answer: Answer | NoAnswer) -> Answer | NoAnswer:
        """The answer without our secrets in the platform's own words: these are stored and logged."""
        if isinstance(answer, Answer) and answer.message:
            return replace(answer, message=self._secrets().text(answer.message))
        return answer

    def _secrets(self) -> Masking:
        return Masking((self._credentials.app_secret, *self._tokens))

    async def _current_token(self) -> str | Answer | NoAnswer:
        if self._token and self._clock.now() < self._refresh_at:
            return self._token
        return await self._new_token(self._token)

    async def _new_token(self, refused: str) -> str | Answer | NoAnswer:
        """A token other than `refused`; whoever asks meanwhile gets what the first one was told."""
        if self._token and self._token != refused and self._clock.now() < self._refresh_at:
            return self._token
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_token())
        return await asyncio.shield(self._fetching)

    async def _fetch_token(self) -> str | Answer | NoAnswer:
        asked_at = self._clock.now()
        body = token_body(self._credentials.app_id, self._credentials.app_secret)
        return self._take_token(await self._request("POST", "/oauth/token", body=body), asked_at)

    def _take_token(self, answer: Answer | NoAnswer, asked_at: int) -> str | Answer | NoAnswer:
        if isinstance(answer, NoAnswer):
            # Nothing of the request that needed the token went out.
            return NoAnswer(False, f"no token: {answer.error}")
        token = read_token(answer) if answer.errcode in (0, None) else None
        if token is None:
            log.warning("token_refused", status=answer.status, errcode=answer.errcode)
            refused = answer.errcode in CONFIGURATION_CODES
            return self._masked(answer) if refused else NoAnswer(False, f"no token: errcode {answer.errcode}")
        self._token = token.access_token
        self._tokens.append(self._token)
        self._refresh_at = asked_at + int(token.expires_in * 1000 * REFRESH_AT)
        log.info("token_fetched", expires_in=token.expires_in)
        return self._token


def _refuses_token(answer: Answer | NoAnswer) -> bool:
    """Only where nothing can have come of the request may it be sent again."""
    ending = classify(answer)
    return ending.outcome is AttemptOutcome.NOT_EXECUTED and ending.code in TOKEN_CODES
