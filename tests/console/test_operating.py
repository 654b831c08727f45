"""`POST /api/deliveries/{id}/retry` and `discard`."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest
from console.conftest import Ask, Door
from store.deliveries import force


def put(door: Door, state: str) -> None:
    """Bring d1, the only delivery, into a state."""
    connection = apsw.Connection(str(door.config.database))
    force(connection, state)
    connection.close()


@pytest.fixture(autouse=True)
def as_it_was(door: Door) -> Iterator[None]:
    """Other tests of this door find the delivery as they left it."""
    yield
    put(door, "accepted")


@pytest.mark.parametrize(("wish", "after"), [("retry", "queued"), ("discard", "discarded")])
def test_it_is_done_and_told_as_the_commands_do(ask: Ask, door: Door, wish: str, after: str) -> None:
    put(door, "failed")
    done = {"id": "d1", "before": "failed", "after": after, "done": True}
    assert ask(f"/api/deliveries/d1/{wish}", method="POST") == (200, done)


@pytest.mark.parametrize("wish", ["retry", "discard"])
def test_another_state_is_409_with_those_from_which_it_goes(ask: Ask, wish: str) -> None:
    status, told = ask(f"/api/deliveries/d1/{wish}", method="POST")
    assert status == 409
    assert (told["before"], told["after"], told["done"]) == ("accepted", "accepted", False)
    assert "held, failed, expired" in told["hint"]


@pytest.mark.parametrize("number", ["d999", "nonsense", "m1"])
def test_an_unknown_delivery_is_404(ask: Ask, number: str) -> None:
    status, told = ask(f"/api/deliveries/{number}/retry", method="POST")
    assert status == 404
    assert told["error"]
    assert told["hint"]


def test_without_the_password_nothing_is_done(ask: Ask, door: Door) -> None:
    put(door, "failed")
    assert ask("/api/deliveries/d1/retry", {}, "POST")[0] == 401
    assert ask("/api/deliveries?state=failed")[1]


def test_to_look_at_it_is_not_to_do_it(ask: Ask) -> None:
    status, told = ask("/api/deliveries/d1/retry")
    assert status == 405
    assert "POST" in told["hint"]
