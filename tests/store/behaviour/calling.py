"""Every step that the router takes with its store beside messages, in any order with all the others."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from store.behaviour import heard
from store.behaviour.called import ANY, FAILED, Call, Key
from store.behaviour.kept import Sent
from store.behaviour.machine import OFTEN, PASSING, PICK, StoreMachine
from store.behaviour.model import EXPIRE_AFTER, Model
from store.behaviour.view import some

from relay.store.occasions import Handled, Hearing, Occasion, Tick
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import NewDelivery, Routing, StateChange, Talk

ALL = 10_000
GUEST = "7881300000000009"  # who never says anything
WATCHER, PLUGIN = "watcher", "plugin"
AWAITED = st.sets(
    st.tuples(st.sampled_from(("queued", "accepted", "delivered", "failed", "discarded")), st.just(WATCHER))
    | st.just(("accepted", PLUGIN)),
    max_size=4,
)
TALKS = st.lists(
    st.tuples(
        st.sampled_from((heard.ANN, GUEST)),
        st.sampled_from(("", "", heard.ONE)),
        st.sampled_from(("ask", "ask", "end", "end everywhere")),
        st.sampled_from((0, 0, 5_000)),
        st.sampled_from((1, 15_000, 60_000)),
        st.sampled_from(("late", "late", "")),
    ),
    max_size=2,
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("a", f"of {GUEST}")),
        st.sampled_from(("set", "add", "add", "delete")),
        st.sampled_from((None, None, 5_000, 60_000)),
    ),
    max_size=3,
)


def talks_of(drawn: list[Any]) -> tuple[Talk, ...]:
    return tuple(
        Talk(WATCHER, heard.EAST, sender, ear, heard.ONE, "then", late, None, delay, within)
        if what == "ask"
        else Talk(WATCHER, heard.EAST, sender, None if what == "end everywhere" else ear)
        for sender, ear, what, delay, within, late in drawn
    )


def changes_of(drawn: list[Any], now: int) -> tuple[StateChange, ...]:
    return tuple(
        StateChange(
            *(WATCHER, key, "5" if what == "set" else None, None if ttl is None else now + ttl),
            by=2 if what == "add" else None,
        )
        for key, what, ttl in drawn
    )


def key_of(each: Occasion) -> Key:
    return str(each.kind), each.plugin, each.handler, each.subject, each.became, each.depth


def collect(model: Model) -> None:
    """Note what became of deliveries since it was looked last."""
    for each in model.deliveries.values():
        model.calls.note(each.id, each.plugin, each.depth, each.steps)
        each.steps = []


def finish(model: Model, call: Call, handled: Handled, at: int, now: int) -> bool:
    """What the model makes of an occasion's end."""
    if call.state != "waiting":
        return False
    collect(model)
    call.state = str(handled.state)
    model.counters[f"occasions_{handled.state}_total"] += 1
    model.calls.write(handled.changes, now)
    model.calls.talk(handled.talks, now)
    for new in handled.deliveries:
        model.positions += 1
        number = max(model.deliveries, default=0) + 1
        model.deliveries[number] = Sent(
            *(number, None, new.kind, new.account, new.target, new.body, model.positions),
            *(now + new.delay, at + EXPIRE_AFTER + new.delay, now, now, None, None),
            plugin=new.plugin,
            depth=call.key[5] + 1 if call.key[0] == "delivery" else 0,
        )
    collect(model)
    return True


class Calling(StoreMachine):
    """The steps of the machine, and between them everything that plugins are called for beside messages."""

    def __init__(self) -> None:
        super().__init__()
        self.hearing = Hearing({}, 0)

    @initialize(awaited=AWAITED, types=st.sampled_from(((), (FAILED,), (ANY,))))
    def register(self, awaited: set[tuple[str, str]], types: tuple[str, ...]) -> None:
        """Other plugins run from now on."""
        self.runs_others(awaited, types)

    @rule(awaited=AWAITED, types=st.sampled_from(((), (FAILED,), (FAILED, ANY))))
    def runs_others(self, awaited: set[tuple[str, str]], types: tuple[str, ...]) -> None:
        """What they want is noted from now on, what nobody wants no more."""
        collect(self.model)
        self.do(self.store.occasions.await_states(sorted(awaited)))
        self.model.calls.awaited = awaited
        self.hearing = self.do(self.store.occasions.hear_events(types))
        self.model.calls.hear(types, max(self.model.events, default=0))

    @rule(again=OFTEN)
    def hears_events(self, again: bool) -> None:
        """Those that came are queued, once, wherever the router that died before had come to."""
        if again:
            self.hearing = self.do(self.store.occasions.hear_events(set(self.hearing.since)))
        self.hearing = self.do(self.store.occasions.take_events(self.hearing))
        self.model.calls.take(self.model.events)

    @rule(handler=st.sampled_from(("often", "daily")), late=st.booleans(), gone=st.sampled_from((0, 0, 0, 1)))
    def ticks(self, handler: str, late: bool, gone: bool) -> None:
        """A clock begins, ends, or ticks; somebody else may have been faster."""
        calls = self.model.calls
        was = calls.ticks.get((WATCHER, handler))
        tick = Tick(WATCHER, handler, "1h", was or self.now)
        if was is None or gone:
            plan = ((), [tick]) if gone else ([tick], ())
            self.do(self.store.occasions.plan(*plan))
            calls.ticks.pop((WATCHER, handler), None)
            calls.ticks |= {} if gone else {(WATCHER, handler): tick.next_at}
            return
        for _ in range(1 + late):
            done = self.do(self.store.occasions.tick(tick, was + 3_600_000))
            assert done == calls.tick(WATCHER, handler, was, was + 3_600_000)

    @rule(by=PASSING)
    def questions_time_out(self, by: int) -> None:
        self.time_passes(by)
        waiting = [
            (each.entry.chat, each.entry.sender, each.received_at)
            for each in self.model.messages.values()
            if each.state is MessageState.WAITING
        ]
        ended = self.do(self.store.occasions.time_out(ALL))
        assert ended == self.model.calls.time_out(self.now, waiting)

    @rule(pick=PICK, talks=TALKS, changes=CHANGES)
    def talks(self, pick: int, talks: list[Any], changes: list[Any]) -> None:
        """A message is routed that asks something, or answers, and has something remembered."""
        self.identify()
        if not self.model.waiting():
            self.hear(heard.ONE, 0, heard.TEXTS[0], both=False)
            self.identify()
        number = some(self.model.waiting(), pick)
        decided = Routing(
            number, MessageState.ROUTED, changes=changes_of(changes, self.now), talks=talks_of(talks)
        )
        self.do(self.store.claim([number]))
        self.model.claim([number])
        self.finish(decided)
        self.model.calls.write(decided.changes, self.now)
        self.model.calls.talk(decided.talks, self.now)

    @rule(changes=CHANGES)
    def remembers(self, changes: list[Any]) -> None:
        """A plugin starts or stops."""
        changed = changes_of(changes, self.now)
        self.do(self.store.occasions.remember(changed))
        self.model.calls.write(changed, self.now)

    @rule(
        pick=PICK,
        end=st.sampled_from(("finished", "finished", "finished", "killed", "given back", "dies")),
        send=st.booleans(),
        talks=TALKS,
        changes=CHANGES,
    )
    def is_called(self, pick: int, end: str, send: bool, talks: list[Any], changes: list[Any]) -> None:
        """A plugin is called for what has come up: all that it decides is kept, once, or nothing."""
        collect(self.model)
        waiting = self.do(self.store.occasions.fresh(0, ALL))
        if not waiting:
            return
        one = some(waiting, pick)
        call = self.call_of(one, waiting)
        (claimed,) = self.do(self.store.occasions.claim([one.id]))
        call.attempts += 1
        assert claimed.attempts == call.attempts
        if end == "given back":
            self.do(self.store.occasions.give_back([one.id]))
            call.attempts -= 1
        elif end != "killed":
            place = self.model.calls.all.index(call)
            self.handle(
                place, self.handled(one, send, talks, changes), one.at, pick if end == "dies" else None
            )

    def handled(self, one: Occasion, send: bool, talks: list[Any], changes: list[Any]) -> Handled:
        said = NewDelivery(*(WATCHER, "rule", 0, DeliveryKind.SEND, heard.ONE, heard.NORTH), body=b"{}")
        deliveries = (said,) if send and one.sender != GUEST else ()  # they would go with the guest
        return Handled(
            one.id, deliveries=deliveries, changes=changes_of(changes, self.now), talks=talks_of(talks)
        )

    def handle(self, place: int, handled: Handled, at: int, dies: int | None) -> None:
        now = self.now
        if dies is not None:
            store = lambda: self.store.occasions.finish(handled, EXPIRE_AFTER)  # noqa: E731
            apply = lambda model: finish(model, model.calls.all[place], handled, at, now)  # noqa: E731
            self.end(store, apply, dies)
            self.hearing = self.do(self.store.occasions.hear_events(set(self.hearing.since)))
            return
        for _ in range(2):
            done = self.do(self.store.occasions.finish(handled, EXPIRE_AFTER))
            assert done == finish(self.model, self.model.calls.all[place], handled, at, now)

    def call_of(self, one: Occasion, waiting: list[Occasion]) -> Call:
        """The model's: of those that are alike, the same in the order they came."""
        alike = [each.id for each in waiting if key_of(each) == key_of(one)]
        mine = [each for each in self.model.calls.waiting() if each.key == key_of(one)]
        assert len(mine) == len(alike)
        return mine[alike.index(one.id)]

    @rule()
    def forgets(self) -> None:
        """Somebody is forgotten for whom questions wait and things are kept."""
        self.ground.forget(GUEST, self.now)
        self.model.calls.forget(GUEST)

    @invariant()
    def everybody_is_called_for_what_they_are(self) -> None:
        """Each once, each question as it stands, and all that is remembered."""
        collect(self.model)
        calls, occasions = self.model.calls, self.store.occasions
        found = Counter((row["kind"], row["state"]) for row in self.do(occasions.occasions(limit=ALL)))
        assert found == Counter((each.key[0], each.state) for each in calls.all)
        waiting = [(key_of(each), each.attempts) for each in self.do(occasions.fresh(0, ALL))]
        assert Counter(waiting) == Counter((each.key, each.attempts) for each in calls.waiting())
        asked = [
            ((each.plugin, each.chat, each.sender, each.ear), (each.id, each.since, each.until))
            for each in self.do(occasions.conversations())
        ]
        assert dict(asked) == {who: (each.id, each.since, each.until) for who, each in calls.asked.items()}
        for key in ("a", f"of {GUEST}"):
            assert self.remembered(key) == calls.read((WATCHER, key), self.now)

    def remembered(self, key: str) -> str | None:
        value, expires_at = self.do(self.store.state(WATCHER, key)) or (None, None)
        return None if expires_at is not None and expires_at <= self.now else value
