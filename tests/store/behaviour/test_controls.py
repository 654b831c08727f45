"""The suite would see it: with a guard taken out of the store, the model beside it differs soon."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import apsw
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from store.behaviour.machine import StoreMachine
from store.behaviour.test_sqlite import SLOW, SqliteCalling, SqliteMachine

from relay.store.sqlite import conversations, forgetting, occasions, remembering, sending, signals

SOON = settings(
    SLOW,
    max_examples=400,
    stateful_step_count=40,
    derandomize=True,
    phases=[Phase.generate],
    print_blob=False,
)


@dataclass(frozen=True)
class Guard:
    """A condition of a statement, and what stands there once it is taken out."""

    machine: ClassVar[type[StoreMachine]] = SqliteMachine

    name: str
    module: ModuleType
    statement: str
    condition: str
    instead: str = ""

    def taken_out(self) -> str:
        text = getattr(self.module, self.statement)
        assert text.count(self.condition) == 1, f"{self.name}: {self.statement} is not what it was"
        return str(text.replace(self.condition, self.instead))


GUARDS = (
    Guard("an answer moves only its own attempt", sending, "_MOVED", " AND attempts = ?11", " AND ?11"),
    Guard("an answer moves only what is on its way", sending, "_MOVED", " AND state = 'sending'"),
    Guard("an attempt ends once", sending, "_ENDED", " AND ended_at IS NULL"),
    Guard("an answer is of its own attempt", sending, "_ENDED", " AND number = ?", " AND ?"),
    Guard(
        "an intent is for the attempt that was due", sending, "_INTENT", "attempts = asked.value ->> 1", "1"
    ),
    Guard("nothing begins too late", sending, "_INTENT", "AND +expires_at > ?2"),
    Guard("a line is in order", sending, "_LINES", "ORDER BY position LIMIT", "ORDER BY id DESC LIMIT"),
    Guard(
        "an unknown blocks its line",
        sending,
        "_LINES",
        " AND due_at <= ?1",
        " AND due_at <= ?1 AND state <> 'unknown'",
    ),
    Guard(
        "what follows another waits for it", sending, "_LINES", "d.state IN ('accepted', 'delivered')", "1"
    ),
    Guard("a delay is waited for", sending, "_LINES", " AND due_at <= ?1", " AND ?1"),
    Guard("a verdict is of the state that was judged", signals, "_MOVE", " AND state = ?9", " AND ?9"),
    Guard("the first echo stays", signals, "_ECHOED", " AND echo IS NULL"),
    Guard("a failure event outlasts echoes", signals, "_MOVE", "max(spoken, ?5)", "0 * ?5"),
)
"""Those whose absence was seen to show; more belong here."""


class Beside(Guard):
    """One of what plugins are called for beside messages."""

    machine = SqliteCalling


GUARDS_BESIDE = (
    Beside("an occasion is handled once", occasions, "_FINISH", " AND state = 'waiting'"),
    Beside("a tick is queued by whoever was first", occasions, "_TICKED", " AND next_at = ?", " AND ? > 0"),
    Beside("an attempt is given back where it waits", occasions, "_GIVE_BACK", "attempts - 1", "attempts"),
    Beside("what waits may be the answer", conversations, "_OVER", "w.heard_at < c.until", "0"),
    Beside("a time-out needs its handler", conversations, "_TIMED_OUT", " AND on_timeout <> ''"),
    Beside("an end is of one account", conversations, "_END", "(?4 IS NULL OR ear = ?4)", "(?4 OR 1)"),
    Beside("a number whose time is over begins anew", remembering, "_ADD", "expires_at <= ?5", "0 AND ?5"),
    Beside(
        "who is forgotten is called for no more", forgetting, "_NOT_HANDLED", "state = 'waiting' AND", "0 AND"
    ),
)


@pytest.mark.long
@pytest.mark.parametrize("guard", [*GUARDS, *GUARDS_BESIDE], ids=lambda each: each.name.replace(" ", "_"))
def test_a_guard_that_is_missing_is_missed(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.module, guard.statement, guard.taken_out())
    with pytest.raises((AssertionError, apsw.ConstraintError)):
        run_state_machine_as_test(guard.machine, settings=SOON)
