"""The checker sees what it is there for: each rule, broken by hand, is named, and it alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from faults.checker import Attempt, Delivery, Effect, Evidence, Lookup, Pushed, Rule, Stored, check

US, ROOM, OTHER = "1688850000000001", "R:1", "R:2"
SAID, AGAIN = (US, "1"), (US, "2")
FORWARD = Effect(
    "forward", US, OTHER, request=5, time=5_000, source=0, place=ROOM, heard=10, delivery=1, told=True
)
REPLY = Effect("send", US, ROOM, request=6, time=6_000, delivery=2, attempt=1, told=True)
LATER = replace(FORWARD, request=7, time=7_000, source=1, heard=30, delivery=3)

FINE = Evidence(
    pushes=[Pushed((SAID,), 0, 10, 200), Pushed((AGAIN,), 20, 30, 200)],
    effects=[FORWARD, REPLY, LATER],
    messages=[Stored(1, SAID, "routed", own=False), Stored(2, AGAIN, "routed", own=False)],
    deliveries=[
        Delivery(1, 1, "forward", US, OTHER, "delivered", position=1, attempts=1),
        Delivery(2, 1, "send", US, ROOM, "delivered", position=2, attempts=1),
        Delivery(3, 2, "forward", US, OTHER, "delivered", position=3, attempts=1),
    ],
    attempts=[Attempt(1, 1, US, 4_999), Attempt(2, 1, US, 5_999), Attempt(3, 1, US, 6_999)],
    owed={SAID: Counter([("forward", OTHER), ("send", ROOM)]), AGAIN: Counter([("forward", OTHER)])},
)


def broken(evidence: Evidence) -> set[Rule]:
    return {violation.rule for violation in check(evidence)}


def with_state(state: str, effect: Effect | None) -> Evidence:
    """The reply's delivery is in this state, and this is what it brought about."""
    deliveries = [replace(each, state=state) if each.id == 2 else each for each in FINE.deliveries]
    effects = [FORWARD, LATER] if effect is None else [FORWARD, effect, LATER]
    return replace(FINE, deliveries=deliveries, effects=effects)


def test_a_run_without_fault_breaks_nothing() -> None:
    assert check(FINE) == []


def test_answered_and_lost() -> None:
    assert broken(replace(FINE, pushes=[*FINE.pushes, Pushed(((US, "9"),), 40, 50, 200)])) == {Rule.KEPT}


def test_not_answered_may_be_lost() -> None:
    refused = Pushed(((US, "9"),), 40, 41, None)
    assert broken(replace(FINE, pushes=[*FINE.pushes, refused], dead=[(35, 45)])) == set()


def test_stored_twice() -> None:
    twice = [*FINE.messages, Stored(3, SAID, "skipped", own=False)]
    assert Rule.ONCE in broken(replace(FINE, messages=twice))


def test_not_acted_on() -> None:
    without = replace(FINE, deliveries=FINE.deliveries[:2], effects=[FORWARD, REPLY])
    assert broken(without) == {Rule.ACTED}


def test_acted_on_twice() -> None:
    twice = [*FINE.deliveries, replace(FINE.deliveries[1], id=4, position=4, state="failed")]
    assert broken(replace(FINE, deliveries=twice)) == {Rule.ACTED}


def test_what_was_heard_late_is_owed_no_reply() -> None:
    late = [replace(FINE.messages[0], late=True), FINE.messages[1]]
    kept = [FINE.deliveries[0], FINE.deliveries[2]]
    assert broken(replace(FINE, messages=late, deliveries=kept, effects=[FORWARD, LATER])) == set()


def test_a_message_that_waits_for_ever() -> None:
    waiting = [replace(FINE.messages[0], state="waiting"), FINE.messages[1]]
    assert broken(replace(FINE, messages=waiting)) == {Rule.STATE}


def test_states_that_are_not_true() -> None:
    failed = replace(REPLY, failed=True)
    untrue = [
        ("delivered", None),
        ("delivered", failed),
        ("failed", REPLY),
        ("expired", REPLY),
        ("held", REPLY),
    ]
    untrue += [(state, REPLY) for state in ("queued", "sending", "unknown", "accepted")]
    assert [broken(with_state(*each)) for each in untrue] == [{Rule.STATE}] * len(untrue)


def test_states_that_are_true() -> None:
    failed, silent = replace(REPLY, failed=True), replace(REPLY, told=False)
    true = [("failed", None), ("failed", failed), ("held", None), ("held", silent), ("delivered", silent)]
    assert [broken(with_state(*each)) for each in true] == [set()] * len(true)


def test_a_second_effect_of_one_delivery() -> None:
    again = replace(REPLY, request=9, time=9_000, attempt=2)
    attempts = [*FINE.attempts, Attempt(2, 2, US, 8_999)]
    assert broken(replace(FINE, effects=[*FINE.effects, again], attempts=attempts)) == {Rule.EFFECTS}


def test_a_second_forward_of_one_message_by_whichever_delivery() -> None:
    effects = [FORWARD, REPLY, replace(LATER, source=0)]
    assert broken(replace(FINE, effects=effects)) == {Rule.EFFECTS}


def test_a_second_effect_after_the_log_was_asked_too_late() -> None:
    again = replace(REPLY, request=9, time=9_000, attempt=2)
    attempts = [*FINE.attempts, Attempt(2, 2, US, 8_999)]
    lookups = [Lookup(8, 8_000)]  # by then the first was there to be seen
    evidence = replace(FINE, effects=[*FINE.effects, again], attempts=attempts, lookups=lookups)
    assert broken(evidence) == {Rule.EFFECTS}


def test_a_second_effect_is_excused_where_the_first_came_after_its_absence_was_proven() -> None:
    delayed, again = replace(REPLY, time=9_500), replace(REPLY, request=9, time=9_000, attempt=2)
    attempts = [*FINE.attempts, Attempt(2, 2, US, 8_999)]
    lookups = [Lookup(8, 8_000)]
    evidence = replace(FINE, effects=[FORWARD, delayed, LATER, again], attempts=attempts, lookups=lookups)
    assert broken(evidence) == set()


def test_out_of_order() -> None:
    assert broken(replace(FINE, effects=[replace(FORWARD, request=8), REPLY, LATER])) == {Rule.ORDER}


def test_routed_out_of_order() -> None:
    first, reply, second = FINE.deliveries
    swapped = [replace(first, position=3), reply, replace(second, position=1)]
    effects = [replace(FORWARD, request=8), REPLY, LATER]
    assert broken(replace(FINE, deliveries=swapped, effects=effects)) == {Rule.ORDER}


def test_an_effect_that_nobody_asked_for() -> None:
    stray = replace(REPLY, request=9, delivery=None)
    assert broken(replace(FINE, effects=[*FINE.effects, stray])) == {Rule.CAUSE}


def test_an_effect_at_another_target() -> None:
    assert Rule.CAUSE in broken(replace(FINE, effects=[FORWARD, replace(REPLY, target=OTHER), LATER]))


def test_an_effect_of_our_own_words() -> None:
    own = [replace(FINE.messages[0], own=True), FINE.messages[1]]
    assert broken(replace(FINE, messages=own)) == {Rule.CAUSE}


def test_an_effect_without_an_intent() -> None:
    assert broken(replace(FINE, attempts=[FINE.attempts[0], FINE.attempts[2]])) == {Rule.CAUSE}


def test_too_fast_by_our_own_count() -> None:
    assert broken(replace(FINE, per_minute=2)) == {Rule.PACE}


def test_too_fast_for_the_platform() -> None:
    many = [replace(FORWARD, failed=True, time=5_000 + number) for number in range(500)]
    assert broken(replace(FINE, effects=[*many, *FINE.effects])) == {Rule.PACE}


def test_a_minute_apart_is_not_too_fast() -> None:
    attempts = [Attempt(1, 1, US, 0), Attempt(2, 1, US, 30_000), Attempt(3, 1, US, 60_000)]
    assert broken(replace(FINE, per_minute=2, attempts=attempts)) == set()


def test_answers_that_come_late_never_or_with_another_status() -> None:
    bad = [Pushed((SAID,), 0, 1_001, 200), Pushed((SAID,), 0, 1_000, None), Pushed((SAID,), 0, 10, 500)]
    assert [broken(replace(FINE, pushes=[each])) for each in bad] == [{Rule.SECOND}] * 3


def test_whoever_stood_still_could_see_no_answer() -> None:
    late = Pushed((SAID,), 0, 1_400, 200)
    assert broken(replace(FINE, pushes=[late], blind=[(900, 1_350)])) == set()
    assert broken(replace(FINE, pushes=[late], blind=[(900, 1_200)])) == {Rule.SECOND}
    assert broken(replace(FINE, pushes=[replace(late, status=None)], blind=[(1_500, 1_900)])) == {Rule.SECOND}


def test_a_receiver_that_does_not_live_owes_no_answer() -> None:
    late = Pushed((SAID,), 100, 1_200, None)
    assert broken(replace(FINE, pushes=[late], dead=[(90, 110)])) == set()
    assert broken(replace(FINE, pushes=[late], dead=[(0, 90)])) == {Rule.SECOND}
