"""The platform's endpoints: who may call, how it is counted, what is done (platform API §2)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from relay.clock import Clock
from relay.simulator.answers import Refusal, accepted, refused, with_data
from relay.simulator.directory import Directory
from relay.simulator.entries import to_json
from relay.simulator.judge import Judge
from relay.simulator.ledger import Ledger
from relay.simulator.limits import COMMANDS, MESSAGES, QUERIES, Limits
from relay.simulator.parameters import Parameters
from relay.simulator.platform import Platform
from relay.simulator.tokens import LIFE_SECONDS, Tokens

Handler = Callable[[Parameters, int], bytes]
SERVER_IPS = ("127.0.0.1",)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller must know."""

    app_id: str
    app_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path and what answers; `open_to_all` needs no token, `counted` falls under the general limit."""

    method: str
    answer: Handler
    open_to_all: bool = False
    counted: bool = True


class Api:
    """Judges a call in the order method, body, caller, limit, fields; always HTTP 200 with an errcode."""

    def __init__(
        self,
        credentials: Credentials,
        tokens: Tokens,
        limits: Limits,
        judge: Judge,
        platform: Platform,
        directory: Directory,
        ledger: Ledger,
        clock: Clock,
        *,
        token_in_data: bool,
    ) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._limits = limits
        self._judge = judge
        self._platform = platform
        self._ledger = ledger
        self._clock = clock
        self._token_in_data = token_in_data
        self._endpoints = self._table(directory)

    def routes(self) -> list[Mount | Route]:
        """Give the routes, at the root and again under /oapi as on newer contracts."""
        routes = [Route(path, _Door(self, path)) for path in self._endpoints]
        return [*routes, Mount("/oapi", routes=routes)]

    def call(self, path: str, method: str, query: Mapping[str, str], body: bytes) -> bytes:
        """Answer one call; it is on record before it is judged."""
        request = self._ledger.add_request(path, self._clock.now())
        try:
            answer = self._answer(self._endpoints[path], method, query, body, request.number)
        except Refusal as refusal:
            self._ledger.answer_request(request.number, refusal.errcode, refusal.message)
            return refused(refusal)
        self._ledger.answer_request(request.number, 0, "")
        return answer

    def _table(self, directory: Directory) -> dict[str, Endpoint]:
        def reading(method: str, answer: Callable[[Parameters], bytes]) -> Endpoint:
            return Endpoint(method, lambda call, _: answer(call))

        return {
            "/oauth/token": Endpoint("POST", self._token, open_to_all=True),
            "/wechat/sendMessage": Endpoint("POST", self._send, counted=False),
            "/wechat/forwardMsg": Endpoint("POST", self._forward, counted=False),
            "/wechat/revokeMessage": Endpoint("POST", self._revoke, counted=False),
            "/wechat/chatLogs": reading("GET", directory.chat_logs),
            "/wechat/list": reading("GET", directory.accounts),
            "/wechat/roomDetail": reading("GET", directory.room_detail),
            "/wechat/contactInfo": reading("GET", directory.contact_info),
            "/wechat/contactDetail": reading("GET", directory.contact_detail),
            "/wechat/rooms": reading("POST", directory.rooms),
            "/wechat/roomMembers": reading("GET", directory.room_members),
            "/index/serverIpList": reading("GET", lambda _: with_data(to_json(SERVER_IPS))),
        }

    def _answer(
        self, endpoint: Endpoint, method: str, query: Mapping[str, str], body: bytes, request: int
    ) -> bytes:
        if method != endpoint.method:
            raise Refusal(405, f"use {endpoint.method}")
        call = Parameters.of_body(body) if method == "POST" else Parameters.of_query(query)
        if call.value("app_id") != self._credentials.app_id:
            raise Refusal(101, "app_id is wrong")
        if not endpoint.open_to_all:
            self._tokens.check(call.text("access_token", ""))
        if endpoint.counted:
            self._limits.take(QUERIES)
        return endpoint.answer(call, request)

    def _token(self, call: Parameters, _: int) -> bytes:
        secret = call.text("app_secret", "").encode("utf-8", "replace")
        if not hmac.compare_digest(secret, self._credentials.app_secret.encode()):
            raise Refusal(102, "app_secret is wrong")
        if "client_credentials" not in (call.value("grand_type"), call.value("grant_type")):
            raise Refusal(103, "grand_type must be client_credentials")
        token = to_json({"access_token": self._tokens.issue(), "expires_in": LIFE_SECONDS})
        return with_data(token) if self._token_in_data else b'{"errcode":0,' + token[1:]

    def _send(self, call: Parameters, request: int) -> bytes:
        account = self._judge.account(call)
        target = self._judge.target(call.text("target_wxid"))
        messages = self._judge.messages(call, account, target)
        self._limits.take(MESSAGES, account, len(messages))
        answers = []
        for message in messages:
            cause = self._platform.send(request, account, target, message)
            known = {} if message.api_send_id is None else {"api_send_id": message.api_send_id}
            answers.append({"idx": message.idx, "api_send_svrid": cause.api_send_svrid, **known})
        return with_data(to_json(answers))

    def _forward(self, call: Parameters, request: int) -> bytes:
        account = self._judge.account(call)
        targets = [self._judge.target(wxid) for wxid in call.list_of_texts("chat_wxids")]
        copies = self._judge.forwarded(call, account)
        self._limits.take(MESSAGES, account, len(copies) * len(targets))
        self._platform.forward(request, account, targets, copies)
        return accepted()

    def _revoke(self, call: Parameters, _: int) -> bytes:
        account = self._judge.account(call)
        copy = self._judge.revoked(call, account, self._clock.now())
        self._limits.take(COMMANDS, account)
        self._platform.revoke(copy)
        return accepted()


class _Door:
    """One endpoint as ASGI."""

    def __init__(self, api: Api, path: str) -> None:
        self._api = api
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        body = await request.body()
        answer = self._api.call(self._path, request.method, dict(request.query_params), body)
        await Response(answer, media_type="application/json")(scope, receive, send)
