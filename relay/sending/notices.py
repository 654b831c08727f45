"""What the log says about deliveries that somebody should know of: with names, without words of customers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from relay.authoring.names import Names
from relay.store.states import DeliveryState
from relay.store.values import Doubled, Intent, Pause, Result, Settled

log = structlog.get_logger("relay.sender")


class Notices:
    """Writes one line for everything that did not go as decided."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def ended(self, intents: Sequence[Intent], results: Iterable[Result]) -> None:
        """Attempts have ended; those that failed for good are worth a line."""
        sent = {intent.delivery.id: intent.delivery for intent in intents}
        await self.settled(
            Settled(each.delivery, delivery.account, delivery.target, each.state, each.error)
            for each in results
            if each.state is DeliveryState.FAILED and (delivery := sent.get(each.delivery))
        )

    async def settled(self, deliveries: Iterable[Settled]) -> None:
        """Deliveries that failed, are held or came too late."""
        told = list(deliveries)
        await self._names.learn({wxid for each in told for wxid in (each.account, each.target)})
        for each in told:
            log.warning(
                f"delivery_{each.state}",
                delivery=f"d{each.delivery}",
                account=each.account,
                account_name=self._names.of(each.account),
                target=each.target,
                target_name=self._names.of(each.target),
                error=_class_of(each.error),
            )

    def doubled(self, deliveries: Iterable[Doubled]) -> None:
        """Deliveries that took effect twice, each with both messages in which it came back."""
        for each in deliveries:
            log.error(
                "duplicate_effect",
                delivery=f"d{each.delivery}",
                first=f"m{each.first}",
                second=f"m{each.second}",
            )

    async def paused(self, pauses: Iterable[Pause], now: int) -> None:
        """Accounts that send nothing for a while, and those that may again."""
        for pause in pauses:
            await self._names.learn([pause.account] if pause.account else [])
            who = {"account": pause.account, "account_name": self._names.of(pause.account)}
            if pause.step:
                seconds = round((pause.until - now) / 1000)
                log.warning("account_paused", **who, seconds=seconds, error=_class_of(pause.reason))
            else:
                log.info("account_resumed", **who)


def _class_of(error: str | None) -> str:
    """The first words of an error: the rest is the platform's, and may repeat what a customer wrote."""
    return (error or "").partition(":")[0]
