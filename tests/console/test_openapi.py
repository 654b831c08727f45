"""The OpenAPI document says all that there is, and no more."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from console.conftest import KEY, Ask, Door
from starlette.routing import Route

from relay.console.openapi import document
from relay.console.operations import OPERATIONS, SINCE, Operation

PUBLIC = {"/", "/static"}


def served(door: Door) -> set[tuple[str, str]]:
    """Path and method of every route of the app, but for the pages."""
    routes = [route for route in door.app.routes if isinstance(route, Route) and route.path not in PUBLIC]
    return {(route.path, method) for route in routes for method in (route.methods or ()) if method != "HEAD"}


def test_every_route_is_in_it_and_every_one_in_it_is_a_route(door: Door) -> None:
    paths: dict[str, Any] = document(door.config.chats)["paths"]  # type: ignore[assignment] # an object of ours
    assert served(door) == {(path, method.upper()) for path, told in paths.items() for method in told}


def test_the_page_names_every_path(ask: Ask) -> None:
    _, page = ask("/")
    listed = [operation.path for operation in OPERATIONS if operation.name != "discard"]
    told = page.replace("{id}/retry · discard", "{id}/retry")
    assert [path for path in listed if path not in told] == []


def test_it_is_served_to_who_knows_the_password(ask: Ask, door: Door) -> None:
    assert ask("/api/openapi.json", {})[0] == 401
    assert ask("/api/openapi.json") == (200, document(door.config.chats))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize(
    "headers", [KEY, {}, {**KEY, "host": "evil.test"}, {**KEY, "content-length": "99999"}]
)
def test_every_answer_is_of_the_shape_that_is_told(
    ask: Ask, door: Door, operation: Operation, headers: dict[str, str]
) -> None:
    told: Any = document(door.config.chats)
    status, answer = ask(operation.path.replace("{id}", "1"), headers, operation.method)
    promised = told["paths"][operation.path][operation.method.lower()]["responses"][str(status)]["content"]
    schema = {**next(iter(promised.values()))["schema"], "components": told["components"]}
    jsonschema_rs.validate(schema, answer)


@pytest.mark.parametrize("since", ["9999m", "9999h", "999d"])
def test_the_longest_times_that_are_promised_are_taken(ask: Ask, since: str) -> None:
    """schemathesis found `since=6274d`, which the document allowed and the bot refused."""
    assert re.fullmatch(str(SINCE.schema["pattern"]), since)
    assert ask(f"/api/messages?since={since}")[0] == 200


def test_chats_are_named_as_the_bot_names_them(door: Door) -> None:
    told: Any = document(door.config.chats)
    assert told["components"]["schemas"]["OneChat"]["anyOf"][1] == {
        "type": "string",
        "enum": ["east", "west"],
    }
