"""The suite would see it: with a guard taken out of the store, the model beside it differs soon."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import apsw
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from store.behaviour.test_sqlite import SLOW, SqliteMachine

from relay.store.sqlite import ingest, operating, routing, sending, signals, unknowns

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
    Guard("an intent is for what is queued", sending, "_INTENT", " AND +state = 'queued'"),
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
    Guard(
        "a verdict is of the attempts that were judged", signals, "_MOVE", " AND attempts = ?10", " AND ?10"
    ),
    Guard("a signal is settled once", signals, "_UNJUDGED", " AND signal = 1"),
    Guard("the first echo stays", signals, "_ECHOED", " AND echo IS NULL"),
    Guard("the first failure stays", signals, "_SPOKEN_OF", " AND failure IS NULL"),
    Guard("a failure event outlasts echoes", signals, "_MOVE", "max(spoken, ?5)", "0 * ?5"),
    Guard("what a failure event spoke of is known", signals, "_TRACKED", "d.spoken", "0"),
    Guard("an accepted one keeps its time", signals, "_MOVE", "WHEN state = 'accepted' THEN settle_at"),
    Guard("the log's conclusion is of its attempt", unknowns, "_CONCLUDED", " AND attempts = ?5", " AND ?5"),
    Guard("the log's conclusion is of an unknown", unknowns, "_CONCLUDED", " AND state = 'unknown'"),
    Guard("what the log told is known", unknowns, "_LATE", "late = 1", "late = 0"),
    Guard("a retry is last in line", operating, "_RETRY", "position = ?2", "position = position + 0 * ?2"),
    Guard("a retry has its attempts anew", operating, "_RETRY", "spoken = 0", "spoken = spoken"),
    Guard(
        "a retry has its time anew", operating, "_RETRY", "expires_at = ?3 + ?4", "expires_at = max(1, ?4)"
    ),
    Guard("what is on its way cannot be sent again", operating, "_RETRY", "'held', ", "'held', 'unknown', "),
    Guard("what is held can be dropped", operating, "_DISCARD", "'held', "),
    Guard("what is queued can be dropped", operating, "_DISCARD", ", 'queued'"),
    Guard("a message is finished once", routing, "_IN_HAND", " AND state = 'waiting'"),
    Guard("a message is routed once", ingest, "_KNOWN_AS", "account = ? AND key = ?", "? <> ''"),
)


@pytest.mark.long
@pytest.mark.parametrize("guard", GUARDS, ids=lambda each: each.name.replace(" ", "_"))
def test_a_guard_that_is_missing_is_missed(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.module, guard.statement, guard.taken_out())
    with pytest.raises((AssertionError, apsw.ConstraintError)):
        run_state_machine_as_test(SqliteMachine, settings=SOON)
