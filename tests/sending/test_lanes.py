"""How fast an account may send, and what holds it up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sending.lanes import EVERYBODY, WINDOW, Lanes, Pace
from relay.store.values import Pause

NOW = 1_700_000_000_000


def lanes(per_minute: int = 3, min_interval: int = 0, jitter: float = 0, chance: float = 0.5) -> Lanes:
    return Lanes(Pace(per_minute, min_interval, jitter), chance=lambda: chance)


@given(
    per_minute=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 30)), max_size=60),
    restarts=st.sets(st.integers(0, 59), max_size=5),
)
def test_in_no_minute_more_goes_out_than_allowed(
    per_minute: int, steps: list[tuple[int, int]], restarts: set[int]
) -> None:
    pacing, now, sent = lanes(per_minute), NOW, list[int]()
    for number, (later, wanted) in enumerate(steps):
        now += later
        if number in restarts:
            pacing = lanes(per_minute)
            pacing.restore([("a", start) for start in sent if start >= now - WINDOW], [])
        going = max(0, min(wanted, pacing.room("a", now)))
        if going:
            pacing.use("a", going, now)
        sent += [now] * going
    for start in sent:
        assert sum(start <= each < start + WINDOW for each in sent) <= per_minute


@given(waits=st.lists(st.integers(0, 70_000), min_size=1, max_size=40))
def test_an_account_that_asks_when_its_lane_opens_finds_it_open(waits: list[int]) -> None:
    pacing, now = lanes(per_minute=4, min_interval=700, jitter=0.5), NOW
    for wait in waits:
        now += wait
        if pacing.room("a", now) <= 0:
            now = pacing.opens_at("a")
        assert pacing.room("a", now) > 0
        pacing.use("a", 1, now)


def test_room_comes_back_a_minute_after_it_was_used() -> None:
    pacing = lanes(per_minute=2)
    pacing.use("a", 1, NOW)
    pacing.use("a", 1, NOW + 1000)
    assert [pacing.room("a", NOW + at) for at in (1000, 59_999, 60_000, 61_000)] == [0, 0, 1, 2]


def test_accounts_have_lanes_of_their_own() -> None:
    pacing = lanes(per_minute=1)
    pacing.use("a", 1, NOW)
    assert (pacing.room("a", NOW), pacing.room("b", NOW)) == (0, 1)


def test_between_two_requests_lies_the_least_interval() -> None:
    pacing = lanes(min_interval=500)
    pacing.use("a", 1, NOW)
    assert [pacing.room("a", NOW + at) > 0 for at in (0, 499, 500)] == [False, False, True]


def test_the_least_interval_holds_over_a_restart() -> None:
    pacing = lanes(min_interval=500)
    pacing.restore([("a", NOW)], [])
    assert [pacing.room("a", NOW + at) > 0 for at in (499, 500)] == [False, True]


@pytest.mark.parametrize(
    ("min_interval", "chance", "wait"),
    [(1000, 0.0, 1000), (1000, 1.0, 1500), (0, 1.0, 30_000), (0, 0.0, 20_000)],
)
def test_jitter_adds_up_to_its_fraction_to_every_wait(min_interval: int, chance: float, wait: int) -> None:
    pacing = lanes(3, min_interval, jitter=0.5, chance=chance)
    pacing.use("a", 1, NOW)
    assert [pacing.room("a", NOW + at) > 0 for at in (wait - 1, wait)] == [False, True]


def test_a_throttled_account_waits_longer_each_time_and_the_others_not_at_all() -> None:
    pacing, now, waits = lanes(), NOW, []
    for _ in range(6):
        pause = pacing.throttled("a", "407", now)
        assert (pacing.room("a", pause.until - 1), pacing.room("b", now)) == (0, 3)
        waits.append(pause.until - now)
        now = pause.until
    assert waits == [5000, 15_000, 30_000, 60_000, 60_000, 60_000]


def test_requests_refused_together_are_one_refusal() -> None:
    pacing = lanes()
    first = pacing.throttled("a", "407", NOW)
    assert pacing.throttled("a", "407", NOW + 10) == first


def test_a_request_that_was_under_way_before_the_pause_does_not_end_it() -> None:
    pacing = lanes()
    pause = pacing.throttled("a", "407", NOW)
    assert pacing.succeeded("a", NOW + 10) == []
    assert pacing.room("a", NOW + 10) == 0
    assert pacing.succeeded("a", pause.until + 10) == [Pause("a", 0, 0, "")]
    assert pacing.throttled("a", "407", pause.until + 20).step == 1


def test_a_pause_holds_over_a_restart_and_so_does_its_step() -> None:
    pacing = lanes()
    pacing.restore([], [Pause("a", NOW + 5000, 1, "407")])
    assert [pacing.room("a", NOW + at) for at in (4999, 5000)] == [0, 3]
    assert pacing.throttled("a", "407", NOW + 5000).step == 2


def test_a_refusal_of_who_we_are_holds_up_everybody_until_one_request_is_taken() -> None:
    pacing = lanes()
    pause = pacing.halted("101", NOW)
    assert (pause.account, pacing.room("a", NOW), pacing.room("b", pause.until - 1)) == (EVERYBODY, 0, 0)
    assert pacing.room("b", pause.until) == 3
    assert pacing.succeeded("b", pause.until) == [Pause(EVERYBODY, 0, 0, "")]
