"""Whatever is asked of the API, its own OpenAPI document says what may be answered; schemathesis asks."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from console.conftest import PASSWORD, Door
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable

from relay.console.openapi import document
from relay.console.operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from schemathesis import BaseSchema, Case

SECONDS = 150.0  # at length, for all operations together
SAMPLE = 4  # requests of each kind in `make test`

CONFIG = {"headers": {"host": "127.0.0.1:8081"}, "auth": {"openapi": {"secret": {"bearer": PASSWORD}}}}
each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


@pytest.fixture(scope="module")
def schema(door: Door) -> BaseSchema:
    import schemathesis  # it takes a second, in every process that collects tests

    config = schemathesis.Config.from_dict(CONFIG)
    loaded = schemathesis.openapi.from_dict(document(door.config.chats), config=config)
    loaded.app = door.app
    return loaded


def ask(schema: BaseSchema, operation: Operation, round_: int, requests: int) -> None:
    """Ask rightly and wrongly, in so many ways each; every answer is validated."""
    from schemathesis import GenerationMode

    for mode in GenerationMode:
        strategy = schema[operation.path][operation.method].as_strategy(generation_mode=mode)

        @seed(round_)
        @settings(
            max_examples=requests, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=strategy)
        def try_out(case: Case[Any]) -> None:
            case.call_and_validate()

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked for
            try_out()


@each
def test_every_answer_is_one_that_the_document_promises(schema: BaseSchema, operation: Operation) -> None:
    ask(schema, operation, 1, SAMPLE)


@pytest.mark.long
@each
def test_every_answer_is_one_that_the_document_promises_at_length(
    schema: BaseSchema, operation: Operation
) -> None:
    ends = time.monotonic() + SECONDS / len(OPERATIONS)
    for round_ in itertools.count(2):
        ask(schema, operation, round_, 50)
        if time.monotonic() > ends:
            break
