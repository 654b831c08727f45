"""The state machine: in words, in Python and in SQL it is one and the same, and SQLite enforces it."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import apsw
import pytest
from store.deliveries import force, new_database, put

import relay.store
from relay.store.states import STEPS, DeliveryState

DRAWN = (Path(relay.store.__file__).parent / "state_machine.md").read_text("utf-8")
PAIRS = [(before, after) for before, after in product(DeliveryState, repeat=2) if before != after]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_delivery_takes_the_listed_steps_and_no_others(before: DeliveryState, after: DeliveryState) -> None:
    connection = new_database()
    force(connection, before)
    if (before, after) in STEPS:
        put(connection, after)
    else:
        with pytest.raises(apsw.ConstraintError, match="cannot take this step"):
            put(connection, after)


def test_the_drawing_shows_every_step_and_no_other() -> None:
    arrows = set(re.findall(r"^ +(\w+) --> (\w+)", DRAWN, re.MULTILINE))
    assert arrows == {(str(before), str(after)) for before, after in STEPS}


def test_the_table_below_the_drawing_gives_each_step_its_reason() -> None:
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (.+?) \|$", DRAWN, re.MULTILINE)
    listed = {(before, after): why for before, after, why in rows}
    del listed["from", "to"]
    assert listed == {(str(before), str(after)): why for (before, after), why in STEPS.items()}


def test_the_drawing_says_of_every_state_what_it_means() -> None:
    named = re.findall(r"^- \*\*(\w+)\*\*: \S", DRAWN, re.MULTILINE)
    assert named == [str(state) for state in DeliveryState]
