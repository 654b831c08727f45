"""What an operator may do to deliveries: send them again, or drop them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from relay.config import Config
from relay.errors import RefusalError
from relay.language import Language, Text
from relay.operating.conversations import cancel
from relay.operating.questions import DELIVERY_STATES, chats_asked, states_asked
from relay.store.protocol import Row, Store
from relay.store.sqlite.queries import delivery_id
from relay.store.states import DeliveryState
from relay.store.values import Operated

MOST_SELECTED = 100_000

NO_DELIVERY = Text("没有投递 {id}", "there is no delivery {id}")
NO_DELIVERY_HINT = Text("relay deliveries 列出所有投递", "`relay deliveries` lists them")
POSSIBLE_FROM = Text("只能从这些状态开始：{states}", "that is possible from {states}")


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to be done to deliveries, and the states in which it can be."""

    name: str
    states: tuple[DeliveryState, ...]
    refused: Text  #: of one delivery
    unfit: Text  #: of a state that was asked for


RETRY = Wish(
    "retry",
    (DeliveryState.HELD, DeliveryState.FAILED, DeliveryState.EXPIRED),
    Text("{id} 是「{state}」，不能重发", "{id} is {state} and cannot be sent again"),
    Text("「{state}」的投递不能重发", "deliveries that are {state} cannot be sent again"),
)
DISCARD = Wish(
    "discard",
    (*RETRY.states, DeliveryState.QUEUED),
    Text("{id} 是「{state}」，不能丢弃", "{id} is {state} and cannot be dropped"),
    Text("「{state}」的投递不能丢弃", "deliveries that are {state} cannot be dropped"),
)


class Outcome(NamedTuple):
    """What became of one delivery; `refusal` says why nothing did."""

    id: str
    before: DeliveryState | None
    after: DeliveryState | None
    refusal: RefusalError | None

    def row(self, language: Language) -> Row:
        """The outcome for programs, with error and hint where there is one."""
        told: Row = {
            "id": self.id,
            "before": self.before and str(self.before),
            "after": self.after and str(self.after),
            "done": self.refusal is None,
        }
        return told | (self.refusal.told(language) if self.refusal else {})


class Operator:
    """Does to deliveries what somebody wishes, each as far as its state allows."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store

    async def operate(self, wish: Wish, numbers: Sequence[int]) -> list[Outcome]:
        """Do it to each of these, and say of each what came of it."""
        if wish is RETRY:
            operated = await self._store.retry(numbers, int(self._config.delivery.expire_after))
        else:
            operated = await self._store.discard(numbers)
        return [_outcome(wish, each) for each in operated]

    async def cancel(self, conversations: Sequence[int]) -> list[Row]:
        """End these conversations, and say of each whether it was there."""
        return await cancel(self._store, conversations, self._config.bot.language)

    async def selected(self, wish: Wish, states: Sequence[str], chats: Sequence[str]) -> list[int]:
        """The deliveries in these states and to these chats, oldest first."""
        asked = states_asked(states)
        for state in asked:
            if state not in wish.states:
                raise RefusalError(wish.unfit, POSSIBLE_FROM, _values(wish, state))
        found = await self._store.deliveries(
            states=asked, chats=chats_asked(chats, self._config.chats), limit=MOST_SELECTED
        )
        return [int(str(row["id"])[1:]) for row in reversed(found)]


def _outcome(wish: Wish, operated: Operated) -> Outcome:
    told = delivery_id(operated.delivery)
    refusal: RefusalError | None = None
    if operated.before is None:
        refusal = RefusalError(NO_DELIVERY, NO_DELIVERY_HINT, {"id": told}, exit_code=1)
    elif not operated.done:
        values = {"id": told, **_values(wish, operated.before)}
        refusal = RefusalError(wish.refused, POSSIBLE_FROM, values, exit_code=1)
    return Outcome(told, operated.before, operated.after, refusal)


def _values(wish: Wish, state: str) -> dict[str, Text]:
    named = "、".join(f"{DELIVERY_STATES[each].zh}（{each}）" for each in wish.states)
    return {"state": DELIVERY_STATES[state], "states": Text(named, ", ".join(wish.states))}
