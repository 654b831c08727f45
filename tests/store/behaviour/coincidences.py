"""What takes several steps in a row about one and the same delivery: chance alone hardly ever takes them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from store.behaviour import heard
from store.behaviour.kept import Sent
from store.behaviour.machine import ACCOUNT, ENDING, OFTEN, PICK, STOPPED, Ending, StoreMachine
from store.behaviour.model import CONFIRM_AFTER, EXPIRE_AFTER, RESOLVE_WITHIN
from store.behaviour.view import routed, some

from relay.sending import outcomes
from relay.store.states import DeliveryKind, DeliveryState
from relay.store.values import Conclusion

_S = DeliveryState
Where = tuple[int, int]


class Coincidences(StoreMachine):
    """The steps of the machine, aimed."""

    def flying_of(self, state: DeliveryState) -> list[Where]:
        """Requests that may still be answered, of deliveries in this state."""
        return [where for where in self.flying if self.model.deliveries[where[0]].state is state]

    def begin_one(self, number: int) -> bool:
        """Begin the next attempt of this very delivery, if it may go out."""
        for line in self.look(1):
            if line[0].id == number:
                self.intend(line)
                return True
        return False

    def conclude_one(self, number: int, state: DeliveryState) -> None:
        """The log misses what the last sender left."""
        self.time_passes(RESOLVE_WITHIN)
        told = [each for each in self.do(self.store.unresolved(100)) if each.delivery == number]
        for each in told:
            concluded = Conclusion(number, each.number, state, "absent")
            done = self.model.conclude(concluded, self.now)
            assert len(self.do(self.store.conclude([concluded]))) == done

    @rule(pick=PICK, ending=ENDING, twice=OFTEN)
    @precondition(lambda self: self.flying_of(_S.SENDING))
    def is_overtaken(self, pick: int, ending: Ending, twice: bool) -> None:
        """A request is on its way when its sender ends; the next one sends again; then the answer comes."""
        where = some(self.flying_of(_S.SENDING), pick)
        self.take_over()
        self.conclude_one(where[0], _S.QUEUED)
        self.begin_one(where[0])
        self.answer(self.flying.index(where), ending)
        if twice:
            self.flying.append(where)  # another process still waits for the same answer

    @rule(pick=PICK, ending=ENDING, first=st.booleans())
    @precondition(lambda self: self.sent_twice())
    def is_contradicted(self, pick: int, ending: Ending, first: bool) -> None:
        """The last attempt failed, and an earlier one comes back: before that, or after."""
        sent = some(self.sent_twice(), pick)
        last = len(sent.attempts)
        for failure in (True, False) if first else (False, True):
            number = last if failure else 1 + pick % (last - 1)
            ids = outcomes.api_send_id(self.origin, sent.id, number), ""
            if failure:
                self.ingest([heard.failure(sent.account, ids)])
            else:
                self.ingest([heard.echo(self.fresh(), sent.account, sent.target, self.now, "it", ids)])
            self.judge_and_settle(True)

    def sent_twice(self) -> list[Sent]:
        """Deliveries that a second attempt was made for, with ids by which it is heard of."""
        sends = (d for d in self.model.deliveries.values() if d.kind is DeliveryKind.SEND)
        return [each for each in sends if len(each.attempts) > 1]

    @rule(pick=PICK, ending=ENDING, again=OFTEN)
    @precondition(lambda self: self.model.signals)
    def moves_on_while_it_is_judged(self, pick: int, ending: Ending, again: bool) -> None:
        """What a signal means is written once the delivery has taken another step."""
        self.judge()
        about = [each.about[0] for _, each in self.judged if each.about is not None and each.to is not None]
        held, self.judged = self.judged, []
        if about:
            self.move_on(self.model.deliveries[some(about, pick)], ending, again)
        self.judged = held
        self.settle(False)

    def move_on(self, sent: Sent, ending: Ending, again: bool) -> None:
        """Let this delivery take a step, or two that lead where it was."""
        if sent.state is _S.QUEUED and self.begin_one(sent.id):
            self.answer(len(self.flying) - 1, ending)
        elif sent.state is _S.SENDING and again:
            self.take_over()
        elif sent.state is _S.SENDING and (flying := [each for each in self.flying if each[0] == sent.id]):
            self.answer(self.flying.index(flying[-1]), ending)
        elif sent.state is _S.UNKNOWN:
            self.conclude_one(sent.id, _S.QUEUED if again else _S.HELD)
        elif sent.state in STOPPED:
            self.operate_on(sent.id, again)
        else:
            self.time_passes(CONFIRM_AFTER)

    def operate_on(self, number: int, again: bool) -> None:
        """A person decides about this one."""
        retry = self.store.retry([number], EXPIRE_AFTER) if again else self.store.discard([number])
        done = (self.model.retry if again else self.model.discard)(number, self.now)
        assert [each.done for each in self.do(retry)] == [done]

    @rule(pick=PICK, again=st.booleans())
    @precondition(lambda self: any(d.state is _S.UNKNOWN for d in self.model.deliveries.values()))
    def is_held(self, pick: int, again: bool) -> None:
        """An outcome stays unknown, and a person decides."""
        unknown = [d.id for d in self.model.deliveries.values() if d.state is _S.UNKNOWN]
        number = some(unknown, pick)
        self.conclude_one(number, _S.HELD)
        self.operate_on(number, again)

    @rule(pick=PICK, account=ACCOUNT)
    @precondition(lambda self: any(d.state in STOPPED for d in self.model.deliveries.values()))
    def lines_up_again(self, pick: int, account: str) -> None:
        """What is sent again by a person is behind what was decided meanwhile."""
        sent = some([d for d in self.model.deliveries.values() if d.state in STOPPED], pick)
        self.hear(account, 0, heard.TEXTS[0], both=True)
        self.identify()
        number = self.model.waiting()[-1]
        self.do(self.store.claim([number]))
        self.model.claim([number])
        self.finish(routed(number, [(DeliveryKind.SEND, *sent.pair, 0, False)]))
        self.operate_on(sent.id, True)

    @rule(pick=PICK, dropped=st.booleans())
    @precondition(lambda self: self.found)
    def loses_its_place(self, pick: int, dropped: bool) -> None:
        """What was found due is dropped by a person, or fails and is sent again, before it begins."""
        found = some(self.found, pick)
        sent = self.model.deliveries[found.id]
        if dropped:
            self.operate_on(sent.id, False)
        elif sent.kind is DeliveryKind.SEND and sent.attempts and sent.state is _S.QUEUED:
            ids = outcomes.api_send_id(self.origin, sent.id, len(sent.attempts)), ""
            self.ingest([heard.failure(sent.account, ids)])
            self.judge_and_settle(True)
            self.operate_on(sent.id, True)
        self.intend(self.found)

    @rule(hours=st.sampled_from((-1, 1)), ending=st.none() | ENDING, pick=PICK)
    def clock_is_set(self, hours: int, ending: Ending | None, pick: int) -> None:
        """Somebody sets the clock, and the sender notices, but not at once."""
        self.clock.jump(1.2)  # or it might be set back to a time at which something was written
        self.model.clock_set(self.now)
        self.clock.set_by(hours * 3600)
        self.found, self.judged = [], []
        if ending is not None and self.flying:
            self.answer(pick, ending)
        if pick % 2:
            self.operate(pick, True, stopped=True)
        self.clock.jump(0.2)
        self.do(self.store.shift(hours * 3_600_000))
        self.model.shift(hours * 3_600_000)
