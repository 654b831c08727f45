"""The simulator's own faults, drawn by chance: such as a platform may have without telling a lie."""

from __future__ import annotations

import random
from collections.abc import Sequence

from relay.simulator.fault import Fault, Kind, When

LONGEST = 3.0  # seconds: longer than a call may take
SENDING = ("/wechat/sendMessage", "/wechat/forwardMsg")
# What refuses for certain, and so never after a call took effect: who says such a thing lies.
REFUSALS = (405, 406, 407, 110, 111, 112)
MISTAKEN = (101, 102, 113, 114)  # and stops everybody for half a minute
UNCERTAIN = (1001, 500, -1, 99999)
RESTS = ("1", "0.5", "soon", "-3", "", "Tue, 14 Nov 2023 22:14:20 GMT")
ABOUT_CALLBACKS = (Kind.DROP, Kind.DUPLICATE, Kind.REORDER, Kind.LATE, Kind.IDS_IN_EXTRA)
ABOUT_CALLS = tuple(kind for kind in Kind if kind not in ABOUT_CALLBACKS)


def mixture(chance: random.Random, accounts: Sequence[str], size: int) -> list[Fault]:
    """So many faults that stand together, for calls and callbacks, of one account or of all."""
    calls = chance.choices(ABOUT_CALLS, k=size - size // 3)
    return [
        _fault(kind, chance, accounts) for kind in (*calls, *chance.choices(ABOUT_CALLBACKS, k=size // 3))
    ]


def _fault(kind: Kind, chance: random.Random, accounts: Sequence[str]) -> Fault:
    when = chance.choice(list(When)) if kind in _EITHER else When.BEFORE
    return Fault(
        kind,
        when=when,
        path=None if kind in ABOUT_CALLBACKS or chance.random() < 0.3 else chance.choice(SENDING),
        account=chance.choice((None, chance.choice(accounts))),
        times=1 if kind is Kind.RATE_LIMIT else None,
        probability=chance.choice((0.1, 0.3, 0.7)),
        seed=chance.randrange(10**6),
        seconds=round(chance.uniform(0.05, LONGEST), 2),
        errcode=chance.choice(UNCERTAIN if when is When.AFTER else (*REFUSALS, *UNCERTAIN)),
        status=chance.choice((500, 502, 503, 404) if when is When.AFTER else (429, 500, 503, 404, 200)),
        retry_after=chance.choice(RESTS),
        echoes_only=chance.random() < 0.5,
    )


_EITHER = (Kind.DELAY, Kind.HANG, Kind.CLOSE, Kind.ERRCODE, Kind.HTTP_STATUS, Kind.NOT_JSON, Kind.CUT)
