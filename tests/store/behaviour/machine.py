"""Every step that the bot takes with its store, in any order, beside the model; any backend is to pass it."""

from __future__ import annotations

import asyncio
import copy
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store.behaviour import heard, truth
from store.behaviour.ground import Ground
from store.behaviour.kept import Sent
from store.behaviour.model import CONFIRM_AFTER, EXPIRE_AFTER, RESOLVE_WITHIN, Model
from store.behaviour.view import expected, judge, routed, seen, some, told, tracked

from relay.errors import StorageError
from relay.sending import outcomes
from relay.simulator.clockwork import ManualClock
from relay.store.protocol import Store
from relay.store.states import AttemptOutcome, DeliveryKind, DeliveryState
from relay.store.values import Conclusion, Delivery, Result, Routing, Verdict
from relay.wire.entries import Entry

T = TypeVar("T")
_S, _O = DeliveryState, AttemptOutcome
Ending = tuple[AttemptOutcome, DeliveryState, dict[str, Any]]

ENDINGS: tuple[Ending, ...] = (
    (_O.TAKEN, _S.ACCEPTED, {}),
    (_O.NOT_SENT, _S.QUEUED, {"retry_at": 1_000}),
    (_O.NOT_SENT, _S.FAILED, {}),
    (_O.THROTTLED, _S.QUEUED, {"spend": False}),
    (_O.NOT_EXECUTED, _S.QUEUED, {"spend": False}),
    (_O.REFUSED, _S.FAILED, {}),
    (_O.REFUSED, _S.QUEUED, {"spend": False, "solo": True}),
    (_O.UNKNOWN, _S.UNKNOWN, {}),
    (_O.UNKNOWN, _S.UNKNOWN, {"doubtful": True}),
)
"""Every class of an attempt, with the step that its delivery may take by it."""

STOPPED = (_S.HELD, _S.FAILED, _S.EXPIRED)
ENDING = st.sampled_from(ENDINGS)
FIRST = st.sampled_from((None, *ENDINGS))
OFTEN = st.sampled_from((True, True, False))
PICK = st.integers(0, 7)
ACCOUNT = st.sampled_from((heard.ONE, heard.TWO))
TEXT = st.sampled_from(heard.TEXTS)
DECIDED = st.lists(
    st.tuples(
        st.sampled_from(DeliveryKind),
        ACCOUNT,
        st.sampled_from((heard.WEST, heard.NORTH)),
        st.sampled_from((0, 0, 0, 5_000)),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: (each[0], each[2]),
)
PASSING = st.sampled_from((1, 1_000, 5_000, 15_000, RESOLVE_WITHIN, CONFIRM_AFTER, EXPIRE_AFTER))


class StoreMachine(RuleBasedStateMachine):
    """Drives store and model alike; a backend gives it the ground to stand on."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.ground = self.lay()
        self.model = Model((heard.ONE, heard.TWO))
        self.svrids = 0
        self.flying: list[tuple[int, int]] = []  #: requests whose answers have not come yet
        self.found: list[Delivery] = []  #: what was due when somebody looked, at this very time
        self.places: dict[int, int] = {}
        self.judged: list[tuple[Verdict, truth.Judged]] = []
        self.store = self.reopen()
        self.do(self.store.add_accounts(self.model.ours, "configured"))
        self.origin = self.store.origin

    @abstractmethod
    def lay(self) -> Ground:
        """An empty place."""

    def teardown(self) -> None:
        self.store.close()
        self.runner.close()
        self.ground.clear()

    def do(self, asked: Awaitable[T]) -> T:
        """Wait for what was asked of the store."""

        async def wait() -> T:
            return await asked

        return self.runner.get_loop().run_until_complete(wait())  # `run` minds Ctrl-C anew each time

    def reopen(self) -> Store:
        async def opened() -> Store:
            return self.ground.open(self.clock)

        return self.runner.run(opened())

    @property
    def now(self) -> int:
        return self.clock.now()

    def fresh(self) -> str:
        self.svrids += 1
        return str(self.svrids)

    # -- the receiver ----------------------------------------------------------

    @initialize(
        decided=st.lists(DECIDED, min_size=2, max_size=2), endings=st.lists(FIRST, min_size=4, max_size=4)
    )
    def begin(self, decided: list[list[Any]], endings: list[Ending | None]) -> None:
        """Two messages with what was decided about them, and a sender: most of what matters comes after."""
        self.take_over()
        for each in decided:
            self.hear(heard.ONE, 0, heard.TEXTS[0], both=True)
            self.route(0, each, "finished")
        self.send(0, 2, endings)

    @rule(account=ACCOUNT, wx=st.integers(0, 1), text=TEXT, both=st.booleans())
    def hear(self, account: str, wx: int, text: str, both: bool) -> None:
        """A customer says something; another of our accounts hears it too, at once or later."""
        svrid = self.fresh()
        accounts = self.model.ours if both else (account,)
        name = svrid if both or not wx else str(max(1, self.svrids - wx))
        self.ingest([heard.said(svrid, each, self.now, text, f"wx-{name}") for each in accounts])

    @rule(pick=PICK, again=st.integers(1, 2))
    def hear_again(self, pick: int, again: int) -> None:
        """The platform pushes what it has pushed before, together with something new."""
        old = some(list(self.model.messages.values()), pick).entry
        new = heard.said(svrid := self.fresh(), heard.ONE, self.now, heard.TEXTS[0], f"wx-{svrid}")
        self.ingest([*[old] * again, new])

    def ingest(self, entries: Sequence[Entry]) -> None:
        kept = self.do(self.store.ingest(entries))
        assert kept == self.model.ingest(entries, self.now)

    # -- the router ------------------------------------------------------------

    def identify(self) -> None:
        passed, _ = self.do(self.store.identify(100, 10**12))
        assert [each.id for each in passed] == self.model.identify()

    @rule(pick=PICK, decided=DECIDED, end=st.sampled_from(("finished", "finished", "killed", "given back")))
    def route(self, pick: int, decided: list[Any], end: str) -> None:
        """A message has its turn, and is finished, or ends its router, or is left to the next."""
        self.identify()
        if not self.model.waiting():
            return
        number = some(self.model.waiting(), pick)
        claimed = self.do(self.store.claim([number]))
        assert [each.id for each in claimed] == self.model.claim([number])
        assert [each.attempts for each in claimed] == [self.model.messages[number].attempts]
        if end == "finished":
            self.finish(routed(number, decided))
        elif end == "given back":
            self.do(self.store.give_back([number]))
            self.model.give_back([number])

    def finish(self, routing: Routing) -> None:
        """Whoever finishes it a second time is too late."""
        for _ in range(2):
            done = self.do(self.store.finish(routing, EXPIRE_AFTER))
            assert done == self.model.finish(routing, self.now)

    # -- the sender ------------------------------------------------------------

    @rule()
    def take_over(self) -> None:
        """A sender's time is over, or it was killed: another begins, and it may begin nothing more."""
        epoch = self.do(self.store.begin_sending(RESOLVE_WITHIN))
        assert epoch == self.model.begin_sending(self.now)
        with pytest.raises(StorageError):
            self.do(self.store.record_intent(self.found, epoch - 1))

    @rule(pick=PICK, depth=st.integers(1, 3), endings=st.lists(st.none() | ENDING, min_size=1, max_size=4))
    def send(self, pick: int, depth: int, endings: list[Ending | None]) -> None:
        """Begin what is due, as the sender asks for it; some of it is answered soon."""
        for ending in endings:
            if lines := self.look(depth):
                self.found = [line[0] for line in lines]
                self.intend(some(lines, pick))
                if ending is not None and self.flying:
                    self.answer(len(self.flying) - 1, ending)

    def look(self, depth: int) -> list[list[Delivery]]:
        """What is due, and what each place in line is called by store and model."""
        lines = self.do(self.store.due(depth))
        for each in (delivery for line in lines for delivery in line):
            assert self.is_in_place(each)
        return lines

    def is_in_place(self, each: Delivery) -> bool:
        place = self.model.deliveries[each.id].position
        return self.places.setdefault(each.position, place) == place

    @rule()
    @precondition(lambda self: self.found)
    def send_what_was_found(self) -> None:
        """Begin what was due a moment ago: some of it has moved on since."""
        self.intend(self.found)

    def intend(self, deliveries: Sequence[Delivery]) -> None:
        intents = self.do(self.store.record_intent(deliveries, self.model.epoch))
        asked = [(each.id, each.attempts) for each in deliveries if self.is_in_place(each)]
        assert [each.delivery.id for each in intents] == self.model.intend(asked, self.now)
        for each in intents:
            assert each.payload == self.payload(self.model.deliveries[each.delivery.id])
            self.flying.append((each.delivery.id, each.number))

    def payload(self, sent: Sent) -> bytes:
        return sent.body or self.model.messages[sent.entry or 0].entry.raw

    @rule(pick=PICK, ending=ENDING)
    @precondition(lambda self: self.flying)
    def answer(self, pick: int, ending: Ending) -> None:
        """A request ends, in whatever class, however late, whoever is the sender by now."""
        result = self.result(self.flying.pop(pick % len(self.flying)), ending)
        self.do(self.store.record_results([result]))
        self.model.end(result, self.now)

    def result(self, where: tuple[int, int], ending: Ending) -> Result:
        outcome, state, more = ending
        told = {**more, "retry_at": self.now + more["retry_at"]} if "retry_at" in more else more
        if outcome is _O.TAKEN and self.model.deliveries[where[0]].kind is DeliveryKind.SEND:
            told = {"api_send_svrid": f"{where[0]}0{where[1]}"}
        waits = {_S.ACCEPTED: CONFIRM_AFTER, _S.UNKNOWN: RESOLVE_WITHIN}.get(state)
        error = None if state is _S.ACCEPTED else outcome.value
        return Result(*where, outcome, state, error, settle_at=waits and self.now + waits, **told)

    @rule(by=PASSING)
    def time_passes(self, by: int) -> None:
        """And what it alone decides is looked for."""
        self.clock.jump(by / 1000)
        self.found = []
        settled = self.do(self.store.settle_due())
        assert sorted((d.delivery, d.state) for d in settled) == sorted(self.model.settle_due(self.now))

    @rule(deaf=PASSING)
    def nobody_listens(self, deaf: int) -> None:
        """For a while, and somebody tells."""
        self.do(self.store.note_gap(self.now - deaf, self.now))
        self.model.note_gap(self.now - deaf, self.now)

    # -- what came back --------------------------------------------------------

    @rule(pick=PICK, number=PICK, named=st.integers(1, 3), pulled=st.booleans(), at_once=OFTEN)
    @precondition(lambda self: any(each.attempts for each in self.model.deliveries.values()))
    def comes_back(self, pick: int, number: int, named: int, pulled: bool, at_once: bool) -> None:
        """An attempt is heard, by a callback or in the log, whatever has become of its delivery."""
        sent, ids = self.named(pick, number, named)
        text = heard.TEXTS[0] if sent.body is None else "something else"
        entry = heard.echo(self.fresh(), sent.account, sent.target, self.now, text, ids)
        if not pulled:
            self.ingest([entry])
        else:
            for _ in range(2):
                assert self.do(self.store.recover([entry])) == self.model.recover(entry, self.now)
        self.judge_and_settle(at_once)

    @rule(pick=PICK, number=PICK, named=st.integers(1, 2), at_once=OFTEN)
    @precondition(lambda self: any(each.attempts for each in self.model.deliveries.values()))
    def fails_late(self, pick: int, number: int, named: int, at_once: bool) -> None:
        """The platform says that an attempt came to nothing after all."""
        sent, ids = self.named(pick, number, named)
        self.ingest([heard.failure(sent.account, ids)])
        self.judge_and_settle(at_once)

    def judge_and_settle(self, at_once: bool) -> None:
        """What is held back by now is settled when something else has happened, or never."""
        if at_once and self.model.signals:
            held, self.judged = self.judged, []
            self.judge()
            self.settle(False)
            self.judged = held

    def named(self, pick: int, number: int, named: int) -> tuple[Sent, heard.Ids]:
        """An attempt that was begun, by one of its ids or both; a forward has none."""
        sent = some([each for each in self.model.deliveries.values() if each.attempts], pick)
        which = number % len(sent.attempts) + 1
        own, theirs = outcomes.api_send_id(self.origin, sent.id, which), f"{sent.id}0{which}"
        ids = own * (named & 1), theirs * bool(named & 2)
        return sent, heard.NO_IDS if sent.kind is DeliveryKind.FORWARD else ids

    @rule()
    @precondition(lambda self: self.model.signals)
    def judge(self) -> None:
        """Look at every signal; what follows is written later, perhaps when all is different."""
        signals = self.do(self.store.signals((0, 0), 200))
        self.judged = []
        for each in signals:
            about = self.do(tracked(self.store, each, self.origin))
            verdict = judge(each, about, self.now)
            expected = truth.judge(self.model, (each.failure, each.id), self.origin, self.now)
            assert (verdict is None) == (expected is None)
            if verdict is not None and expected is not None:
                assert told(verdict) == expected
                self.judged.append((verdict, expected))

    @rule(kept=st.booleans())
    @precondition(lambda self: self.judged)
    def settle(self, kept: bool) -> None:
        """Write what was judged; a sender whose time is over may write the same once more."""
        twice = self.do(self.store.settle([verdict for verdict, _ in self.judged], CONFIRM_AFTER))
        expected = truth.settle(self.model, [each for _, each in self.judged], self.now)
        assert [(each.delivery, each.second) for each in twice] == expected
        self.judged = self.judged if kept else []

    @rule(pick=PICK, state=st.sampled_from((_S.QUEUED, _S.HELD, _S.FAILED)), back=st.sampled_from((0, 0, 1)))
    @precondition(lambda self: any(d.state is _S.UNKNOWN for d in self.model.deliveries.values()))
    def conclude(self, pick: int, state: DeliveryState, back: int) -> None:
        """The log misses it: proven absent, or not; a conclusion about an earlier attempt is void."""
        self.time_passes(RESOLVE_WITHIN)
        if unknown := self.do(self.store.unresolved(100)):
            one = some(unknown, pick)
            concluded = Conclusion(one.delivery, one.number - back, state, "absent")
            done = self.model.conclude(concluded, self.now)
            assert len(self.do(self.store.conclude([concluded]))) == done

    # -- the operator ----------------------------------------------------------

    @rule(pick=PICK, again=OFTEN, stopped=OFTEN)
    def operate(self, pick: int, again: bool, stopped: bool) -> None:
        """A person sends a delivery again, or drops it, or names one that is none."""
        told = [d.id for d in self.model.deliveries.values() if d.state in STOPPED or not stopped]
        number = some(told or [*self.model.deliveries, 999], pick)
        retry = self.store.retry([number], EXPIRE_AFTER) if again else self.store.discard([number])
        done = (self.model.retry if again else self.model.discard)(number, self.now)
        assert [each.done for each in self.do(retry)] == [done]

    # -- deaths ----------------------------------------------------------------

    @rule(whose=st.sampled_from(("receiver", "router", "sender")), pick=PICK, decided=DECIDED, turns=PICK)
    def die(self, whose: str, pick: int, decided: list[Any], turns: int) -> None:
        """A callback, what was decided, an intent: each is kept as a whole or not at all."""
        now, waiting, lines = self.now, self.model.waiting(), self.look(1)
        if whose == "router" and waiting:
            routing = routed(some(waiting, pick), decided)
            finish = lambda: self.store.finish(routing, EXPIRE_AFTER)  # noqa: E731
            self.end(finish, lambda model: model.finish(routing, now), turns)
        elif whose == "sender" and lines:
            line, epoch = some(lines, pick), self.model.epoch
            asked = [(each.id, each.attempts) for each in line]
            intend = lambda: self.store.record_intent(line, epoch)  # noqa: E731
            self.end(intend, lambda model: model.intend(asked, now), turns)
        else:
            svrid = self.fresh()
            entries = [heard.said(svrid, each, now, "hello", f"wx-{svrid}") for each in self.model.ours]
            self.end(lambda: self.store.ingest(entries), lambda model: model.ingest(entries, now), turns)

    def end(self, ask: Callable[[], Awaitable[object]], apply: Callable[[Model], object], turns: int) -> None:
        """End everything while the store is asked: what it then finds is all of it, or nothing.

        Then it is asked again, so that what follows does not depend on how fast this machine was.
        """
        before, done = expected(self.model, self.now), copy.deepcopy(self.model)
        apply(done)
        self.runner.run(cut(ask, turns, self.ground.crash))
        self.store.close()
        self.store = self.reopen()
        self.found = []
        if self.do(seen(self.store)) == before:
            self.do(ask())
        self.model = done

    # -- always ----------------------------------------------------------------

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Each message once, each delivery in one state, and every counter exact."""
        found, right = self.do(seen(self.store)), expected(self.model, self.now)
        for what in right:
            assert found[what] == right[what], (what, found[what], right[what])


async def cut(ask: Callable[[], Awaitable[object]], turns: int, crash: Callable[[], None]) -> None:
    """Ask, let so little happen, and end it."""

    async def asking() -> None:
        await ask()

    task = asyncio.create_task(asking())
    for _ in range(turns):
        await asyncio.sleep(0)
    crash()
    await task  # in what is left of the old process: nobody sees it any more
