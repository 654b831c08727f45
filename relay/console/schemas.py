"""The shapes of what the API takes and tells, in JSON Schema's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relay.config import Chats
from relay.config.chats import CHAT_ID
from relay.operating.diagnosis import LOOKS, READABLE, REASONS
from relay.operating.questions import DELIVERY_STATES, LONGEST_ID, LONGEST_TEXT, MESSAGE_STATES
from relay.operating.report import ANSWERS
from relay.store.occasions import OccasionKind, OccasionState
from relay.store.states import LEFT, AttemptOutcome, DeliveryKind, Evidence

Schema = Mapping[str, object]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "description": 'RFC 3339 in UTC, or "" for a time beyond the calendar.'}
NAME: Schema = {
    "type": ["string", "null"],
    "description": "What the id beside it is called, as far as known.",
}
MAYBE_NUMBER: Schema = {"type": ["integer", "null"], "minimum": 0}
MAYBE: Schema = {"type": ["string", "null"]}
NAMES: Schema = {"type": "object", "additionalProperties": TEXT}
MESSAGE_ID: Schema = {"type": "string", "pattern": "^[mM]?[0-9]{1,18}$"}
OCCASION_ID: Schema = {"type": "string", "pattern": "^[oO][0-9]{1,18}$"}
BODY_ID: Schema = {"type": "string", "pattern": "^[bB][0-9]{1,18}$"}
CONVERSATION_ID: Schema = {"type": "string", "pattern": "^[cC]?[0-9]{1,18}$"}
DELIVERY_ID: Schema = {"type": "string", "pattern": "^[dD]?[0-9]{1,18}$"}


def named(name: str) -> Schema:
    """The schema that stands under this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(words: Iterable[object]) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": [str(word) for word in words]}


def rows(of: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": of}


def shape(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these keys, and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


MESSAGE: dict[str, Schema] = {
    "id": MESSAGE_ID,
    "svrid": TEXT,
    "account": TEXT,
    "chat": TEXT,
    "chat_type": one_of(("room", "private", "")),
    "sender": TEXT,
    "type": TEXT,
    "text": TEXT,
    "own": FLAG,
    "time": TIME,
    "received_at": TIME,
    "state": one_of(MESSAGE_STATES),
    "reason": MAYBE,
    "late": FLAG,
    "account_name": NAME,
    "chat_name": NAME,
    "sender_name": NAME,
}
DELIVERY: dict[str, Schema] = {
    "id": DELIVERY_ID,
    "message_id": {"type": ["string", "null"]},
    "occasion_id": {
        "type": ["string", "null"],
        "description": "What else it came of, where it is no message.",
    },
    "kind": one_of(DeliveryKind),
    "account": TEXT,
    "target": TEXT,
    "state": one_of(DELIVERY_STATES),
    "evidence": {"type": ["string", "null"], "enum": [*map(str, Evidence), None]},
    "attempts": NUMBER,
    "error": MAYBE,
    "created_at": TIME,
    "updated_at": TIME,
    "plugin": TEXT,
    "rule": TEXT,
    "account_name": NAME,
    "target_name": NAME,
}
REQUEST: dict[str, Schema] = {
    "number": NUMBER,
    "started_at": TIME,
    "ended_at": MAYBE,
    "outcome": {"type": ["string", "null"], "enum": [*map(str, AttemptOutcome), None]},
    "error": MAYBE,
    "echo": MAYBE,
    "failure_event": FLAG,
}
OCCASION: dict[str, Schema] = {
    "id": OCCASION_ID,
    "kind": one_of(OccasionKind),
    "plugin": TEXT,
    "handler": TEXT,
    "account": TEXT,
    "chat": TEXT,
    "sender": TEXT,
    "message_id": MAYBE,
    "delivery_id": MAYBE,
    "became": TEXT,
    "event": TEXT,
    "at": TIME,
    "state": one_of(OccasionState),
    "reason": MAYBE,
    "attempts": NUMBER,
}
CONVERSATION: dict[str, Schema] = {
    "id": CONVERSATION_ID,
    **dict.fromkeys(("plugin", "chat", "sender", "account", "handler", "on_timeout"), TEXT),
    "message_id": MAYBE,
    "since": TIME,
    "until": TIME,
    **dict.fromkeys(("account_name", "chat_name", "sender_name"), NAME),
}
TRACE_LINE = shape(
    {"plugin": TEXT, "rule": TEXT, "decision": TEXT, "reason": TEXT, "ms": {"type": "number", "minimum": 0}}
)
DECISION = shape(
    {
        "plugin": TEXT,
        "rule": TEXT,
        "kind": one_of(DeliveryKind),
        "account": TEXT,
        "targets": rows(TEXT),
        "messages": rows(
            {
                "type": "object",
                "required": ["msg_type", "content"],
                "properties": {"msg_type": TEXT, "content": {}, "delay": {"type": "number"}},
            }
        ),
    }
)
PLACE: dict[str, Schema] = {"file": MAYBE, "line": {"type": ["integer", "null"]}}
PLUGIN_ERROR = shape({"message": TEXT} | PLACE)
PLUGIN = shape(
    {
        "name": TEXT,
        "source": TEXT,
        "state": one_of(("active", "disabled", "failed", "parked")),
        "error": {"anyOf": [PLUGIN_ERROR, {"type": "null"}]},
        "observe": FLAG,
        "running": {"anyOf": [shape({"version": TEXT, "since": TIME}), {"type": "null"}]},
        "parked": {"anyOf": [shape({"until": TIME, "failures": NUMBER, "due": FLAG}), {"type": "null"}]},
        "left": rows(TEXT),
        "handlers": rows(shape({"handler": TEXT, "blocked_ms": NUMBER, "deaths": NUMBER} | PLACE)),
    }
)
PROCESS: Schema = {
    "type": "object",
    "required": ["role", "pid", "alive", "since"],
    "properties": {"role": TEXT, "pid": NUMBER, "alive": FLAG, "since": TIME},
    "description": "What a role says of itself may stand beside these.",
}
DONE: dict[str, Schema] = {
    "id": DELIVERY_ID,
    "before": one_of(DELIVERY_STATES),
    "after": one_of(DELIVERY_STATES),
    "done": FLAG,
}
COMPLAINT: dict[str, Schema] = {"error": {"type": "string", "minLength": 1}, "hint": MAYBE}
NOTHING: dict[str, Schema] = {"before": {"type": "null"}, "after": {"type": "null"}}

ANYBODY = rf"^[^\s\ufeff\u0000-\u001f\u007f-\u009f]{{1,{LONGEST_ID}}}$"


def chat_schemas(chats: Chats) -> dict[str, Schema]:
    """How chats and people may be named: by id, or as bot.toml calls them."""
    alone = [name for name, wxids in chats.names.items() if len(wxids) == 1]
    chat_id: Schema = {"type": "string", "pattern": f"^({CHAT_ID.pattern})$"}
    return {
        "Chat": {"anyOf": [chat_id, *_enum(chats.names)]},
        "OneChat": {"anyOf": [chat_id, *_enum(alone)]},
        "Somebody": {"anyOf": [{"type": "string", "pattern": ANYBODY}, *_enum(alone)]},
    }


def _enum(names: Iterable[str]) -> list[Schema]:
    return [{"type": "string", "enum": [*names]}] if [*names] else []


SCHEMAS: Mapping[str, Schema] = {
    "Error": shape(COMPLAINT),
    "Message": shape(MESSAGE),
    "Delivery": shape(DELIVERY),
    "Request": shape(REQUEST),
    "DeliveryExplained": shape({**DELIVERY, "requests": rows(named("Request"))}),
    "Explained": shape(
        {
            **MESSAGE,
            "trace": rows(named("TraceLine")),
            "deliveries": rows(named("DeliveryExplained")),
            "occasions": rows(named("Occasion")),
            "copies": rows(MESSAGE_ID),
            "echo_of": MAYBE,
            "ahead": NUMBER,
            "names": NAMES,
        }
    ),
    "Occasion": shape(OCCASION),
    "OccasionExplained": shape(
        {
            **OCCASION,
            **dict.fromkeys(("account_name", "chat_name", "sender_name"), NAME),
            "trace": rows(named("TraceLine")),
            "deliveries": rows(named("DeliveryExplained")),
            "names": NAMES,
        }
    ),
    "Body": shape(
        {
            "id": BODY_ID,
            "kind": {"enum": ["body"]},
            "received_at": TIME,
            "bytes": NUMBER,
            "failed": one_of(REASONS),
            "now": one_of((READABLE, *REASONS)),
            "looks": one_of(LOOKS),
            "hint": MAYBE,
        }
    ),
    "Conversation": shape(CONVERSATION),
    "Ended": shape({"id": CONVERSATION_ID, "done": FLAG}, **COMPLAINT),
    "TraceLine": TRACE_LINE,
    "Status": shape(
        {
            "inbox": shape({"waiting": NUMBER}),
            "deliveries": shape({str(state): NUMBER for state in DELIVERY_STATES}),
            "processes": rows(PROCESS),
            "plugins": rows(PLUGIN),
            "observed": rows(shape({"plugin": TEXT, "rule": TEXT, "last_day": NUMBER})),
            "unreadable": shape({"count": NUMBER, "last_at": MAYBE, "last_id": MAYBE}),
            "echoes": shape({"p99_ms": MAYBE_NUMBER, "resolve_within_ms": NUMBER, "short": FLAG}),
            "repairs": NUMBER,
            "answers": shape(dict.fromkeys(("late_today", *ANSWERS), NUMBER)),
            "oldest": shape(dict.fromkeys(("waiting", *map(str, LEFT)), MAYBE)),
            "accounts": rows(TEXT),
            "account_names": NAMES,
            "pauses": rows(shape({"account": TEXT, "until": TIME, "reason": TEXT})),
            "platform_ips": shape(
                {
                    "in_force": FLAG,
                    "addresses": {"type": ["array", "null"], "items": TEXT},
                    "fetched_at": MAYBE,
                }
            ),
            "counters": {"type": "object", "additionalProperties": {"type": "integer"}},
        }
    ),
    "Outcome": shape(DONE),
    "Conflict": shape({**DONE, **COMPLAINT}),
    "Unknown": shape(COMPLAINT, **{**DONE, **NOTHING}),
    "Line": shape(
        {
            "text": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
            "chat": named("OneChat"),
            "sender": named("Somebody"),
        },
        account={"anyOf": [named("Somebody"), {"enum": ["", None]}]},
    ),
    "Decision": DECISION,
    "Tried": shape(
        {
            "decisions": rows(named("Decision")),
            "trace": rows(named("TraceLine")),
            "message": shape(
                {name: MESSAGE[name] for name in ("account", "chat", "chat_type", "sender", "text", "own")}
            ),
            "names": NAMES,
        }
    ),
}
