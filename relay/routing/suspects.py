"""Which messages are suspected of having ended the router, judged by what ran then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from relay.routing.blackbox import Ending
from relay.store.values import Identified

MOST_ATTEMPTS = 3  # a message that ended the router so often is set aside (contract 4.7)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a new router does with the messages that an earlier one left."""

    acquitted: tuple[int, ...] = ()  #: in hand when it ended, and not what ran: the attempt is taken back
    condemned: tuple[Identified, ...] = ()  #: it ended over them often enough
    suspects: tuple[int, ...] = ()  #: to be tried one at a time, in this order
    early: int = 0  #: the first ones, hardly guilty: they wait for each other and nobody else


def judge(waiting: Iterable[Identified], ending: Ending) -> Verdict:
    """Judge what waits by how the last process ended.

    Where it is known what ran, nothing else is suspect, and what began last is tried last: innocents that
    ran in threads beside it then wait for one death, not two, and not until everybody else was served: who
    holds or ends the interpreter lets nobody begin after it. Where it is not known (a power cut, a kill),
    what was in hand for the first time goes with the rest.
    """
    ran = {message: order for order, (message, _) in enumerate(ending.ran, 1)}
    attempted = [each for each in waiting if each.attempts]
    acquitted = {each.id for each in attempted if ran and each.id in ending.in_hand and each.id not in ran}
    blamed = {each: each.attempts - (each.id in acquitted) for each in attempted}
    suspects = [
        each
        for each, deaths in blamed.items()
        if 0 < deaths < MOST_ATTEMPTS and (deaths > 1 or ran or each.id not in ending.in_hand)
    ]
    suspects.sort(key=lambda each: (blamed[each], ran.get(each.id, 0), each.id))
    early = [each for each in suspects if blamed[each] == 1 and ran.get(each.id, 0) < len(ran)]
    return Verdict(
        tuple(sorted(acquitted)),
        tuple(each for each, deaths in blamed.items() if deaths >= MOST_ATTEMPTS),
        tuple(each.id for each in suspects),
        len(early),
    )
