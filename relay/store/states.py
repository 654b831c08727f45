"""The states of messages and deliveries, and every step that a delivery may take.

`state_machine.md` beside this file draws what `STEPS` lists; the schema enforces it.
"""

from __future__ import annotations

from enum import StrEnum


class MessageState(StrEnum):
    """Where a received message stands."""

    WAITING = "waiting"  #: it is kept, and its turn has not come yet
    ROUTED = "routed"  #: every plugin had its say; what they decided is in the outbox
    SKIPPED = "skipped"  #: it was not for the plugins: our own, a copy of one acted on, or too old
    SET_ASIDE = "set_aside"  #: it killed the router too often, and waits for a person


class DeliveryState(StrEnum):
    """Where one message to one target stands (contract 4.6)."""

    QUEUED = "queued"  #: waits for its turn, its pace, its delay or its next attempt
    SENDING = "sending"  #: the attempt is on record, the request is on its way
    ACCEPTED = "accepted"  #: the platform took it
    DELIVERED = "delivered"  #: accepted, and no failure event within `confirm_after`
    UNKNOWN = "unknown"  #: no answer to a request that may have arrived
    HELD = "held"  #: stopped for an operator
    FAILED = "failed"  #: refused for good, attempts used up, or a failure event
    EXPIRED = "expired"  #: too late to be worth sending
    DISCARDED = "discarded"  #: an operator dropped it


class Evidence(StrEnum):
    """What a delivery's state rests on."""

    ANSWER = "answer"  #: the platform said so, in its answer or in a later failure event
    ECHO = "echo"  #: our own message came back
    LOG = "log"  #: it stands in the platform's log
    SILENCE = "silence"  #: nothing spoke against it for long enough


class DeliveryKind(StrEnum):
    """How a delivery leaves."""

    FORWARD = "forward"  #: forwardMsg: the received message itself, verbatim
    SEND = "send"  #: sendMessage: a message of ours


class AttemptOutcome(StrEnum):
    """How one request ended, in the classes that decide what may follow."""

    TAKEN = "taken"  #: the platform answered 0
    NOT_SENT = "not_sent"  #: no byte went out, so trying again is safe
    THROTTLED = "throttled"  #: refused for its rate: not executed, and no fault of the delivery's
    NOT_EXECUTED = "not_executed"  #: refused for who we are (token, app, address): not executed
    REFUSED = "refused"  #: refused for what it says: trying the same again is pointless
    UNKNOWN = "unknown"  #: it may have arrived


_Q, _S, _A, _D, _U, _H, _F, _E, _X = DeliveryState

#: From where a delivery may go to where, and on whose word.
STEPS: dict[tuple[DeliveryState, DeliveryState], str] = {
    (_Q, _S): "intent: the attempt is committed before its first byte",
    (_Q, _E): "expire_after has passed",
    (_Q, _F): "a failure event for an earlier attempt, or what had to go before it did not",
    (_Q, _A): "the echo of an earlier attempt",
    (_Q, _X): "an operator",
    (_S, _A): "the answer, or an echo that overtook it",
    (_S, _Q): "not sent, not executed or throttled",
    (_S, _F): "refused, attempts used up, or a failure event that overtook the answer",
    (_S, _U): "no answer to a request that may have arrived, or found so at the start",
    (_A, _D): "no failure event within confirm_after",
    (_A, _F): "a failure event",
    (_D, _F): "a late failure event",
    (_U, _A): "an echo, or an entry in the platform's log",
    (_U, _F): "a failure event, or an incomplete answer and no echo",
    (_U, _Q): "proven absent",
    (_U, _H): "neither echo nor proof of absence within resolve_within",
    (_H, _A): "a late echo",
    (_H, _F): "a late failure event",
    (_H, _Q): "an operator",
    (_H, _X): "an operator",
    (_F, _A): "a late echo",
    (_F, _Q): "an operator",
    (_F, _X): "an operator",
    (_E, _A): "the late echo of an earlier attempt",
    (_E, _F): "the late failure event of an earlier attempt",
    (_E, _Q): "an operator",
    (_E, _X): "an operator",
}

#: What is to be left some time, by the bot or by a person.
LEFT = (_Q, _S, _A, _U, _H)

#: What waits for something to happen, so that it counts as work in hand.
OPEN = (_Q, _S, _U)
