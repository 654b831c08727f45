"""Guessing is slow, whoever guesses, and keeps nobody else out for long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from console.conftest import KEY, Door
from console.test_metrics import TOKEN
from pydantic import SecretStr
from starlette.applications import Starlette
from structlog.testing import capture_logs

from relay.console import throttle
from relay.console.refusals import RefusalLog
from relay.console.throttle import FREE, Throttle, source_of
from relay.simulator.clockwork import ManualClock
from relay.testing import asgi_call

HERE, THERE = "127.0.0.1", "10.0.0.9"


@pytest.fixture
def app(door: Door) -> Starlette:
    """A door that nobody has knocked at."""
    return door.with_console(metrics_token=SecretStr(TOKEN))


def knock(app: Starlette, *secrets: str, path: str = "/api/status", peer: str = HERE) -> list[int]:
    """The answers to these passwords, all shown at once."""

    async def all_of_them() -> Sequence[tuple[int, bytes]]:
        return await asyncio.gather(
            *(
                asgi_call(app, "GET", path, headers={"authorization": f"Bearer {each}"}, client=(peer, 1))
                for each in secrets
            )
        )

    return [status for status, _ in asyncio.run(all_of_them())]


def guesses(count: int, first: int = 0) -> list[str]:
    return [f"guess {number}" for number in range(first, first + count)]


def test_after_a_few_wrong_ones_not_even_the_right_one_is_looked_at(app: Starlette) -> None:
    """Or a thousand guesses at once would be as good as a thousand guesses."""
    answers = knock(app, *guesses(100), KEY["authorization"].partition(" ")[2])
    assert answers == [401] * FREE + [429] * (101 - FREE)


def test_the_wait_is_told_and_doubles_up_to_a_bound_and_then_the_right_one_opens(
    app: Starlette, door: Door
) -> None:
    waits = []
    knock(app, *guesses(FREE))
    for number in range(10):
        _, told = asyncio.run(asgi_call(app, "GET", "/api/status", headers=KEY))
        waits.append(int("".join(filter(str.isdigit, told.decode()))))
        door.clock.jump(waits[-1])
        assert knock(app, *guesses(1, 100 + number)) == [401]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    door.clock.jump(30)
    assert knock(app, KEY["authorization"].partition(" ")[2]) == [200]


def test_another_address_is_not_kept_waiting(app: Starlette) -> None:
    knock(app, *guesses(50))
    assert knock(app, KEY["authorization"].partition(" ")[2], peer=THERE) == [200]


@pytest.mark.parametrize("path", ["/metrics", "/api/status"])
def test_the_same_wrong_one_again_keeps_nobody_out(app: Starlette, path: str) -> None:
    """A scraper with an old token, on the machine where the operator sits."""
    assert knock(app, *["an old one"] * 500, path=path) == [401] * 500
    assert knock(app, KEY["authorization"].partition(" ")[2]) == [200]


def test_who_shows_nothing_has_not_guessed(app: Starlette) -> None:
    for headers in ({}, {"authorization": "Bearer"}, {"authorization": "Basic eDp5"}):
        answers = [asyncio.run(asgi_call(app, "GET", "/api/status", headers=headers))[0] for _ in range(20)]
        assert answers == [401] * 20
    assert knock(app, KEY["authorization"].partition(" ")[2]) == [200]


def test_the_metrics_token_at_the_api_is_a_wrong_password(app: Starlette) -> None:
    assert knock(app, TOKEN) == [401]
    assert knock(app, TOKEN, path="/metrics") == [200]


def test_after_a_quiet_time_all_is_forgotten() -> None:
    clock = ManualClock()
    watch = Throttle(clock)
    for each in guesses(20):
        watch.failed(HERE, each.encode())
    clock.jump(throttle.QUIET / 1000 + 1)
    watch.failed(HERE, b"another")
    assert watch.wait(HERE) == 0


def test_a_clock_that_is_put_back_keeps_nobody_waiting() -> None:
    clock = ManualClock()
    watch = Throttle(clock)
    for each in guesses(20):
        watch.failed(HERE, each.encode())
    assert watch.wait(HERE)
    clock.jump(-3600)
    assert watch.wait(HERE) == 0


def test_only_so_many_addresses_and_guesses_are_remembered() -> None:
    watch = Throttle(ManualClock())
    for number in range(5000):
        watch.failed(f"10.{number >> 8}.{number & 255}.1", b"x")
    for each in guesses(1000):
        watch.failed(HERE, each.encode())
    assert len(watch._sources) == throttle.MOST_SOURCES
    assert len(watch._sources[HERE].guesses) == throttle.MOST_GUESSES


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("10.0.0.9", "10.0.0.9"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_all_addresses_of_one_customer_are_one(peer: str, source: str) -> None:
    assert source_of(peer) == source


def test_the_log_names_who_was_refused_but_not_with_what_and_is_not_flooded(app: Starlette) -> None:
    with capture_logs() as lines:
        knock(app, *guesses(200))
    assert len(lines) == RefusalLog.FREE
    assert {(line["event"], line["peer"]) for line in lines} == {("console_refused", HERE)}
    assert "guess" not in str(lines)


def test_the_log_counts_those_of_whom_it_did_not_tell() -> None:
    clock = ManualClock()
    told = RefusalLog(clock)
    with capture_logs() as lines:
        for _ in range(25):
            told.tell(401, HERE)
        clock.jump(61)
        told.tell(401, HERE)
    assert [line["untold"] for line in lines] == [0] * RefusalLog.FREE + [25 - RefusalLog.FREE]
