"""The OpenAPI document of the private door, made of the table of its operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

import relay
from relay.config import Chats
from relay.console.operations import ERROR, OPERATIONS, Operation, Parameter
from relay.console.schemas import SCHEMAS, Schema, chat_schemas

GUARDED = (401, 405, 413, 421, 429)
"""What the guard answers, whatever is asked."""


def document(chats: Chats) -> dict[str, object]:
    """The whole of it, for a bot that calls its chats so."""
    paths: dict[str, dict[str, object]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "relay console",
            "version": relay.__version__,
            "description": "Status, messages and deliveries of a bot, in the shapes of the commands' --json.",
        },
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **chat_schemas(chats)},
            "securitySchemes": {"secret": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"secret": []}],
    }


def _operation(operation: Operation) -> dict[str, object]:
    told: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.sentence,
        "parameters": [*_in_path(operation.at), *map(_in_query, operation.query)],
        "responses": {
            str(status): _response(status, schema, operation.media if status == 200 else "application/json")
            for status, schema in _answers(operation)
        },
    }
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    return told


def _answers(operation: Operation) -> Iterable[tuple[int, Schema]]:
    return sorted({**dict.fromkeys(GUARDED, ERROR), **operation.answers}.items())


def _response(status: int, schema: Schema, media: str) -> dict[str, object]:
    return {"description": HTTPStatus(status).phrase, "content": {media: {"schema": schema}}}


def _in_path(at: Mapping[str, Schema]) -> Iterable[dict[str, object]]:
    return ({"name": name, "in": "path", "required": True, "schema": schema} for name, schema in at.items())


def _in_query(parameter: Parameter) -> dict[str, object]:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    return {"name": parameter.name, "in": "query", "schema": schema, "description": parameter.sentence}
