"""The platform's endpoints: who may call, how it is counted, what is done (platform API §2)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from relay.clock import Clock
from relay.simulator.answers import Refusal, accepted, with_data
from relay.simulator.directory import Directory
from relay.simulator.entries import to_json
from relay.simulator.fault import Happening, Point, When
from relay.simulator.faults import Faults
from relay.simulator.judge import Judge, Outgoing
from relay.simulator.ledger import Ledger
from relay.simulator.limits import COMMANDS, MESSAGES, QUERIES, Limits
from relay.simulator.parameters import Parameters
from relay.simulator.platform import Platform
from relay.simulator.tokens import LIFE_SECONDS, Tokens

Handler = Callable[[Parameters, int], bytes]
_TARGETS = ("target_wxid", "chat_wxid", "room_wxid")
_NAMES = ("wxid", "rel_wxid", "chat_wxids", *_TARGETS)
_BY_ACCOUNT = frozenset(
    f"/wechat/{name}" for name in ("sendMessage", "forwardMsg", "revokeMessage", "chatLogs")
)


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


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came in."""

    path: str
    method: str
    query: Mapping[str, str]
    body: bytes = field(repr=False)

    def fields(self) -> Parameters:
        """Read what was passed, or refuse."""
        return Parameters.of_body(self.body) if self.method == "POST" else Parameters.of_query(self.query)

    def happening(self, request: int) -> Happening:
        """Give what a fault may fit; no call is too strange for that."""
        try:
            fields = self.fields()
            named = {name: fields.value(name) for name in _NAMES}
        except Refusal:
            named = {}
        account = named.get("wxid") if self.path in _BY_ACCOUNT else named.get("rel_wxid")
        chats = named.get("chat_wxids")
        targets = [*(chats if isinstance(chats, list) else []), *(named.get(name) for name in _TARGETS)]
        known = tuple(target for target in targets if isinstance(target, str))
        return Happening(account if isinstance(account, str) else "", known, self.path, request)


class Api:
    """Judges a call in the order method, body, caller, limit, fields; a refusal carries its errcode."""

    def __init__(
        self,
        credentials: Credentials,
        tokens: Tokens,
        limits: Limits,
        judge: Judge,
        platform: Platform,
        directory: Directory,
        ledger: Ledger,
        faults: Faults,
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
        self._faults = faults
        self._clock = clock
        self._token_in_data = token_in_data
        self._endpoints = self._table(directory)

    @property
    def paths(self) -> tuple[str, ...]:
        """Give what can be called."""
        return tuple(self._endpoints)

    def note(self, call: Call) -> int:
        """Put a call on record before it is judged, and give its number."""
        return self._ledger.add_request(call.path, self._clock.now()).number

    def execute(self, call: Call, request: int) -> bytes:
        """Do what a call asks for and give the answer; raises a Refusal where it is not done."""
        endpoint = self._endpoints[call.path]
        if call.method != endpoint.method:
            raise Refusal(405, f"use {endpoint.method}")
        fields = call.fields()
        if fields.value("app_id") != self._credentials.app_id:
            raise Refusal(101, "app_id is wrong")
        if not endpoint.open_to_all:
            self._tokens.check(fields.text("access_token", ""))
        if endpoint.counted:
            self._limits.take(QUERIES)
        return endpoint.answer(fields, request)

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
            "/index/serverIpList": reading("GET", directory.server_ips),
        }

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
        missing = self._missing(request, account, target, messages)
        answers = []
        for message in messages:
            if missing.get(message.idx) is When.BEFORE:
                continue
            cause = self._platform.send(request, account, target, message)
            known = {} if message.api_send_id is None else {"api_send_id": message.api_send_id}
            if message.idx not in missing:
                answers.append({"idx": message.idx, "api_send_svrid": cause.api_send_svrid, **known})
        return with_data(to_json(answers))

    def _missing(self, request: int, account: str, target: str, messages: list[Outgoing]) -> dict[int, When]:
        most = max(message.idx for message in messages) + 1
        what = Happening(account, (target,), "/wechat/sendMessage", request, messages=most)
        struck = self._faults.strike(Point.MESSAGES, what)
        return {standing.fault.idx: standing.fault.when for standing in struck}

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
