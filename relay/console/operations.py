"""Every operation of the private door: routes and OpenAPI document are made of this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.console.schemas import (
    BODY_ID,
    CONVERSATION_ID,
    DELIVERY_ID,
    MESSAGE_ID,
    OCCASION_ID,
    Schema,
    named,
)
from relay.operating.questions import DELIVERY_STATES, MOST

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What may stand in an address; `many` of them where it may be given again."""

    name: str
    schema: Schema
    sentence: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked; `answers` are what it says itself, beside what the guard says."""

    name: str
    method: str
    path: str
    sentence: str
    answers: Mapping[int, Schema]
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    media: str = JSON
    at: Mapping[str, Schema] = field(default_factory=dict)


LIMIT = Parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST}, "At most so many rows.")
CHAT = Parameter("chat", named("Chat"), "A name in [chats] or an id.", many=True)
SINCE = Parameter(
    "since",
    {"type": "string", "pattern": "^([0-9]{1,4}[mh]|[0-9]{1,3}d)$"},
    "So long ago, such as 2h; a date and time will do, too.",
)
STATE = Parameter("state", {"type": "string", "enum": [*DELIVERY_STATES]}, "Deliveries in it.", many=True)
MESSAGE = Parameter("message", MESSAGE_ID, "Deliveries of this message.")

ERROR = named("Error")
ERROR_OR_ENDED: Schema = {"anyOf": [ERROR, named("Ended")]}
REFUSED = {400: ERROR, 503: ERROR}

OPERATIONS = (
    Operation(
        "status",
        "GET",
        "/api/status",
        "What waits, what became of deliveries, which processes are alive, which plugins run.",
        {200: named("Status"), **REFUSED},
    ),
    Operation(
        "messages",
        "GET",
        "/api/messages",
        "Received messages, newest first.",
        {200: {"type": "array", "items": named("Message")}, **REFUSED},
        (CHAT, SINCE, LIMIT),
    ),
    Operation(
        "explain",
        "GET",
        "/api/messages/{id}",
        "One message by our id or the platform's svrid: what every rule said, and where it went.",
        {200: named("Explained"), 404: ERROR, **REFUSED},
        at={"id": {"type": "string", "minLength": 1}},
    ),
    Operation(
        "deliveries",
        "GET",
        "/api/deliveries",
        "Deliveries, newest first.",
        {200: {"type": "array", "items": named("Delivery")}, **REFUSED},
        (STATE, CHAT, MESSAGE, LIMIT),
    ),
    Operation(
        "retry",
        "POST",
        "/api/deliveries/{id}/retry",
        "Put a delivery that is held, failed or expired last in line, with attempts and expiry anew.",
        {200: named("Outcome"), 404: named("Unknown"), 409: named("Conflict"), **REFUSED},
        at={"id": DELIVERY_ID},
    ),
    Operation(
        "discard",
        "POST",
        "/api/deliveries/{id}/discard",
        "Drop a delivery that is held, failed, expired or queued.",
        {200: named("Outcome"), 404: named("Unknown"), 409: named("Conflict"), **REFUSED},
        at={"id": DELIVERY_ID},
    ),
    Operation(
        "occasion",
        "GET",
        "/api/occasions/{id}",
        "What plugins were called for beside messages, such as a tick: what they said, and where it went.",
        {200: named("OccasionExplained"), 404: ERROR, **REFUSED},
        at={"id": OCCASION_ID},
    ),
    Operation(
        "body",
        "GET",
        "/api/bodies/{id}",
        "A callback that could not be read: when it came, and why; nothing of what is in it.",
        {200: named("Body"), 404: ERROR, **REFUSED},
        at={"id": BODY_ID},
    ),
    Operation(
        "conversations",
        "GET",
        "/api/conversations",
        "Questions that wait for an answer, those first that end first.",
        {200: {"type": "array", "items": named("Conversation")}, **REFUSED},
        (CHAT,),
    ),
    Operation(
        "cancel",
        "POST",
        "/api/conversations/{id}/cancel",
        "End a conversation without calling anybody: the next message is like any other.",
        {200: named("Ended"), 404: ERROR_OR_ENDED, **REFUSED},
        at={"id": CONVERSATION_ID},
    ),
    Operation(
        "try",
        "POST",
        "/api/try",
        "What the bot would do with a text; nothing is sent, nothing is written.",
        {200: named("Tried"), 404: ERROR, 408: ERROR, 502: ERROR, 504: ERROR, **REFUSED},
        body=named("Line"),
    ),
    Operation(
        "metrics",
        "GET",
        "/metrics",
        "The bot in numbers, for Prometheus; console.metrics_token may read this, too.",
        {200: {"type": "string"}, **REFUSED},
        media="text/plain",
    ),
    Operation("openapi", "GET", "/api/openapi.json", "This document.", {200: {"type": "object"}, **REFUSED}),
)
"""In the order in which somebody new needs them."""
