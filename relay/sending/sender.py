"""Send what is due, and learn what became of it. No plugin code runs here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

import structlog

from relay.authoring.names import Names
from relay.clock import CLOCKS_DIFFER, Clock
from relay.errors import StorageError
from relay.sending import outcomes
from relay.sending.attempts import CONFIGURATION_CODES, NoAnswer, Policy, asked_rest, classify, results
from relay.sending.client import Client
from relay.sending.directory import Directory
from relay.sending.gaps import Gaps
from relay.sending.history import History
from relay.sending.lanes import WINDOW, Lanes
from relay.sending.lookup import Lookup, LookupSettings
from relay.sending.notices import Notices
from relay.sending.outage import Outage
from relay.sending.patience import Patience
from relay.store.protocol import Store
from relay.store.states import AttemptOutcome, DeliveryKind
from relay.store.values import Delivery, Intent, Pause, Result, Signal, Tracked, Verdict
from relay.store.watch import Watch
from relay.tasks import Tasks
from relay.wire.answers import Answer
from relay.wire.requests import OutgoingMessage, forward_body, send_body

log = structlog.get_logger("relay.sender")

IDLE = 0.25  # seconds after which a quiet sender looks again: delays and deadlines wake nobody
MOST_REQUESTS = 64  # on their way at the same time
SHARE = 16  # of these, the targets of one account
RECORD_TRIES = 30  # seconds, one try in each, that a disk that refuses is waited for
SIGNALS_AT_ONCE = 200
NOTICED = 250  # ms that others may take to write down what they did before the clock was looked at
LOOK_AGAIN = 250  # ms after which what was found due is looked for anew, though some of it is left


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """What the sender needs of the configuration; times in milliseconds."""

    policy: Policy
    lookup: LookupSettings
    repair_calls: int  #: a minute
    forward_batch: int
    send_batch: int
    given_names: Mapping[str, str] = field(default_factory=dict)  #: of [chats], by wxid
    chats: Collection[str] = ()  #: whose names are asked for before anybody speaks
    platform_ips: bool = False  #: whether the receiver goes by the platform's list of its servers


class Sender:
    """One per store. `step` does what can be done now; `run` does so for ever."""

    def __init__(
        self, store: Store, client: Client, lanes: Lanes, clock: Clock, settings: SenderSettings
    ) -> None:
        self._store = store
        self._client = client
        self._lanes = lanes
        self._clock = clock
        self._settings = settings
        self._notices = Notices(Names(store, clock, settings.given_names))
        self._directory = Directory(client, store, clock, settings.chats, addresses=settings.platform_ips)
        history = History(client, store, clock)
        self._lookup = Lookup(store, history, clock, settings.lookup)
        self._gaps = Gaps(store, history, clock, settings.repair_calls)
        self._outage = Outage(client, lanes, clock)
        self._patience = Patience(store, clock, settings.policy.resolve_within)
        self._looked_at = clock.steady()  #: at the clock, by the steady one
        self._watch = Watch(store, clock)
        self._requests = Tasks()
        self._busy: dict[str, set[str]] = {}  #: by account, the targets of requests on their way
        self._errands = Tasks()
        self._asking = Tasks()
        self._repairing = Tasks()
        self._probing = Tasks()
        self._epoch = 0
        self._ahead = 0  #: of ours, the platform's clock, as the store knows
        self._found: list[list[Delivery]] = []  #: requests that can be made of what was due at `_found_at`
        self._found_at = 0
        self._opens_at = 0  #: when the first account that its pace holds up may send again
        self._origin = ""
        self._signals_after = (0, 0)  #: how far those that wait for more evidence were looked through

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop, then wait for the answers that are due."""
        try:
            while not stop.is_set():
                if not await self.step():
                    await self._watch.wait(self._idle())
        finally:  # what is on its way would become unknown with us, also where a full disk ends us
            await self._requests.wait()
        for errands in (self._errands, self._asking, self._repairing, self._probing):
            await errands.cancel()

    def platform_now(self) -> int | None:
        """What the platform's clock shows; None where it has not told."""
        return self._client.platform.now()

    def _idle(self) -> float:
        """Seconds until there may be something to do that no commit announces."""
        until_open = (self._opens_at - self._clock.now()) / 1000
        return min(IDLE, max(until_open, 0.001)) if self._opens_at else IDLE

    async def drain(self) -> None:
        """Send and settle everything that can be by now."""
        everything = (self._requests, self._errands, self._asking, self._repairing, self._probing)
        while await self.step() or any(everything):
            for tasks in everything:
                await tasks.wait()

    async def step(self) -> bool:
        """Settle what came back, then start what is due; true when there may be more to do at once."""
        for tasks in (self._requests, self._errands, self._asking, self._repairing, self._probing):
            tasks.check()
        if not self._epoch:
            await self._begin()
        await self._heed_the_clock()
        await self._run_errands()
        behind = await self._settle_signals()
        if not behind:  # or silence would be found where an answer waits to be read
            await self._notices.settled(await self._store.settle_due())
            await self._notices.settled(await self._lookup.conclude())
        return await self._start_due() or behind

    async def _run_errands(self) -> None:
        """What is asked of the platform beside all sending."""
        if self._directory.due() and not self._errands:
            self._errands.start(self._directory.refresh())
        if self._outage.due() and not self._probing:
            self._probing.start(self._probe())
        await self._tell_ahead(self._client.platform.ahead())
        await self._patience.look()
        if not self._asking and await self._lookup.due():
            self._asking.start(self._lookup.ask())
        if not self._repairing and await self._gaps.due():
            self._repairing.start(self._gaps.repair())

    async def _tell_ahead(self, ahead: int) -> None:
        """What the platform dates, others can compare only when they know how its clock differs from ours."""
        if abs(ahead - self._ahead) > CLOCKS_DIFFER:
            self._ahead = ahead
            log.warning("clocks_differ", platform_ahead=round(ahead / 1000))
            await self._store.set_meta("platform_ahead", str(ahead))

    async def _probe(self) -> None:
        await self._tell_pauses(await self._outage.probe())

    async def _tell_pauses(self, pauses: Sequence[Pause]) -> None:
        for pause in pauses:
            await self._store.set_pause(pause)
        await self._notices.paused(pauses, self._clock.now())

    async def _heed_the_clock(self) -> None:
        """A clock that was set lets nothing expire, confirms nothing, and changes nobody's pace."""
        looked_at, self._looked_at = self._looked_at, self._clock.steady()
        if by := self._clock.heed():
            log.warning("clock_set", seconds=round(by / 1000))
            self._lanes.shift(by)
            self._found = []
            await self._store.shift(by, self._looked_at - looked_at + NOTICED)
            self._ahead = int(await self._store.meta("platform_ahead") or 0)

    async def _begin(self) -> None:
        self._clock.heed()  # whatever it was set by until now, the store knows of
        if by := await self._store.heed_clock():
            log.warning("clock_set", seconds=round(by / 1000))
        self._ahead = int(await self._store.meta("platform_ahead") or 0)
        now = self._clock.now()
        self._origin = await self._store.meta("origin") or ""
        self._lanes.restore(await self._store.recent_starts(now - WINDOW), await self._store.pauses())
        self._epoch = await self._store.begin_sending(self._settings.policy.resolve_within)

    # -- what came back --------------------------------------------------------

    async def _settle_signals(self) -> bool:
        """So many of them that what is due waits for no flood of our own words; true while there are more."""
        after = self._signals_after
        signals = await self._store.signals(after, SIGNALS_AT_ONCE)
        verdicts = [verdict for each in signals if (verdict := await self._judge(each)) is not None]
        if verdicts:
            self._notices.doubled(await self._store.settle(verdicts, self._settings.policy.confirm_after))
        more = len(signals) >= SIGNALS_AT_ONCE
        said = max([each.id for each in signals if not each.failure], default=after[0])
        failed = max([each.id for each in signals if each.failure], default=after[1])
        self._signals_after = (said, failed) if more else (0, 0)
        return more

    async def _judge(self, signal: Signal) -> Verdict | None:
        tracked = await self._tracked(signal)
        if tracked is None:
            return outcomes.unmatched(signal, self._clock.now())
        if signal.failure:
            return outcomes.judge_failure(signal, tracked)
        return outcomes.judge_echo(signal, tracked)

    async def _tracked(self, signal: Signal) -> Tracked | None:
        """The delivery that a signal is about, by the best evidence that it carries."""
        if (named := outcomes.read_api_send_id(signal.api_send_id, self._origin)) is not None:
            return await self._store.by_api_send_id(*named, signal.account)
        if signal.api_send_svrid:
            return await self._store.by_api_send_svrid(signal.api_send_svrid, signal.account)
        if signal.failure or signal.api_send_id:  # forwards have no ids: this is another program's
            return None
        candidates = await self._store.forwards_without_echo(signal, outcomes.FORWARD_WINDOW)
        return outcomes.fitting_forward(signal, candidates)

    # -- what goes out ---------------------------------------------------------

    async def _start_due(self) -> bool:
        room = MOST_REQUESTS - len(self._requests)
        if room <= 0:
            return False
        requests = self._startable(room)
        if len(requests) < room:
            requests = await self._look_for_more(room)
        chosen = [delivery for request in requests for delivery in request]
        if not chosen:
            return False
        intents = {each.delivery.id: each for each in await self._store.record_intent(chosen, self._epoch)}
        for request in requests:
            begun = [intents[delivery.id] for delivery in request if delivery.id in intents]
            if begun:
                account = begun[0].delivery.account
                self._lanes.use(account, len(begun), self._clock.now())
                self._busy.setdefault(account, set()).update(each.delivery.target for each in begun)
                self._requests.start(self._request(begun))
        return True

    async def _look_for_more(self, room: int) -> list[list[Delivery]]:
        lines = await self._store.due(self._settings.send_batch)
        self._found = self._batches(lines)
        self._found_at = self._clock.now()
        return self._startable(room)

    def _startable(self, room: int) -> list[list[Delivery]]:
        """Up to so many of the requests that were found; what is passed over waits for the next time.

        To look for what is due costs as much as it has targets, so what was found serves several times: it
        is in line whatever came since, and what has moved on is refused when the intent is recorded.
        """
        now = self._clock.now()
        if not 0 <= now - self._found_at <= LOOK_AGAIN:
            self._found = []
        allowed: list[list[Delivery]] = []
        later: list[list[Delivery]] = []
        turn = _Turn(self._busy, self._lanes, now)
        for at, request in enumerate(self._found):
            if len(allowed) >= room:
                later += self._found[at:]
                break
            if begun := turn.take(request):
                allowed.append(begun)
            else:
                later.append(request)
        self._found = later
        self._opens_at = min((self._lanes.opens_at(account) for account in turn.shut), default=0)
        return allowed

    def _batches(self, lines: Sequence[list[Delivery]]) -> list[list[Delivery]]:
        """One list per request, in line: a message to several targets, or messages to one."""
        sends = [_together(line) for line in lines if _is_send(line[0])]
        heads = [line[0] for line in lines if not _is_send(line[0])]
        solo = [[head] for head in heads if head.solo]
        together = sorted((head for head in heads if not head.solo), key=_message)
        forwards = [list(group) for _, group in groupby(together, key=_message)]
        size = self._settings.forward_batch
        chunks = [group[at : at + size] for group in forwards for at in range(0, len(group), size)]
        return sorted(sends + solo + chunks, key=lambda request: request[0].position)

    async def _request(self, intents: list[Intent]) -> None:
        """One request: the intent is on record, now the bytes may go."""
        try:
            await self._send(intents)
        finally:
            self._busy[intents[0].delivery.account] -= {intent.delivery.target for intent in intents}
        self._watch.nudge()

    async def _send(self, intents: list[Intent]) -> None:
        answer = await self._exchange(intents)
        now = self._clock.now()
        # The lane first: what goes back to queued must find it closed already.
        pauses = self._mind_lane(intents[0].delivery.account, answer, now) + self._outage.heard(answer)
        ended = results(intents, answer, self._settings.policy, now)
        await self._record(ended, pauses)
        await self._notices.ended(intents, ended)
        await self._notices.paused(pauses, now)

    async def _record(self, ended: list[Result], pauses: list[Pause]) -> None:
        """Write what only this process knows, as often as it takes: its end would make it unknown."""
        for patience in range(RECORD_TRIES, -1, -1):
            try:
                await self._store.record_results(ended)
                for pause in pauses:
                    await self._store.set_pause(pause)
                return
            except StorageError as exc:
                if not patience:
                    raise
                log.error("results_not_recorded", error=str(exc), tries_left=patience)
                await self._clock.sleep(1.0)

    async def _exchange(self, intents: list[Intent]) -> Answer | NoAnswer:
        first = intents[0].delivery
        path = "/wechat/sendMessage" if _is_send(first) else "/wechat/forwardMsg"
        try:
            return await self._client.post(path, lambda token: self._body(intents, token))
        except ValueError as exc:  # the entry or message is no JSON object, so no request was made of it
            log.error("request_not_composed", delivery=first.id, error=type(exc).__name__)
            return Answer(status=0, errcode=406, message="the message cannot be put into a request")

    def _body(self, intents: list[Intent], token: str) -> bytes:
        first = intents[0].delivery
        if first.kind is DeliveryKind.FORWARD:
            return forward_body(
                app_id=self._client.app_id,
                token=token,
                account=first.account,
                targets=[each.delivery.target for each in intents],
                entry=intents[0].payload,
            )
        ids = [outcomes.api_send_id(self._origin, each.delivery.id, each.number) for each in intents]
        return send_body(
            app_id=self._client.app_id,
            token=token,
            account=first.account,
            target=first.target,
            messages=[
                OutgoingMessage(each.payload, own_id) for each, own_id in zip(intents, ids, strict=True)
            ],
        )

    def _mind_lane(self, account: str, answer: Answer | NoAnswer, now: int) -> list[Pause]:
        """Let a refusal hold up the account, or everybody, and an accepted request end that."""
        ending = classify(answer)
        if ending.outcome is AttemptOutcome.TAKEN:
            return self._lanes.succeeded(account, now)
        if ending.outcome is AttemptOutcome.THROTTLED:
            asked = asked_rest(answer, now) if isinstance(answer, Answer) else None
            return [self._lanes.throttled(account, ending.error or "", now, asked)]
        if ending.outcome is AttemptOutcome.NOT_EXECUTED:
            told = "configuration" if ending.code in CONFIGURATION_CODES else "token"
            log.error("sending_stopped", error=ending.error, cause=told)
            return [self._lanes.halted(ending.error or "", now)]
        return []


class _Turn:
    """What may begin in one step: within every account's pace and share, and once for each target."""

    def __init__(self, busy: Mapping[str, set[str]], lanes: Lanes, now: int) -> None:
        self.shut: set[str] = set()  #: accounts that their pace, or a pause, holds up
        self._busy = busy
        self._lanes = lanes
        self._now = now
        self._share: dict[str, int] = {}
        self._pace: dict[str, int] = {}

    def take(self, request: list[Delivery]) -> list[Delivery]:
        """The part of it that may begin now; a forward that is too much for one minute is split."""
        account = request[0].account
        busy = self._busy.get(account, ())
        # An echo may settle a delivery before its request has been answered: that one still counts.
        free = [each for each in request if each.target not in busy]
        if not free:
            return []
        if account not in self._share:
            # No account takes so many that its own trouble leaves no room for others'.
            self._share[account] = self._lanes.share(account, SHARE) - len(busy)
            self._pace[account] = self._lanes.room(account, self._now)
        if self._share[account] <= 0:
            return []
        if self._pace[account] <= 0:
            self.shut.add(account)
            return []
        begun = free[: self._pace[account]]
        self._share[account] -= len(begun)
        self._pace[account] = 0 if self._lanes.spaced else self._pace[account] - len(begun)
        return begun


def _together(line: Sequence[Delivery]) -> list[Delivery]:
    """The first sends of a line that may share a request: what was refused with others goes alone."""
    return list(line[:1] if line[0].solo else takewhile(lambda each: _is_send(each) and not each.solo, line))


def _is_send(delivery: Delivery) -> bool:
    return delivery.kind is DeliveryKind.SEND


def _message(delivery: Delivery) -> tuple[str, int]:
    return delivery.account, delivery.message or 0  # what is forwarded has one
