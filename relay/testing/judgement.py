"""What handlers decided while a test had something happen, and what they failed of."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from relay.authoring.decisions import Decision, Forward, Reply, Send
from relay.authoring.outgoing import Outgoing
from relay.routing.calls import LateError


class Decisions(list[Decision]):
    """Decisions in their order; they compare as a list of values does."""

    @property
    def messages(self) -> list[Outgoing]:
        """All that would be said, in order; a forward says nothing of its own."""
        return [each for decision in self if isinstance(decision, Reply | Send) for each in decision.messages]

    @property
    def texts(self) -> list[str]:
        """The words of all texts and announcements among them."""
        return [words for each in self.messages if (words := _words(each)) is not None]

    @property
    def forwarded(self) -> list[str]:
        """The chats that the message itself goes to, as the plugin named them."""
        return [chat for decision in self if isinstance(decision, Forward) for chat in decision.to]


def _words(outgoing: Outgoing) -> str | None:
    if outgoing.type == "text":
        return "".join(item["text"] for item in outgoing.content["items"])
    return str(outgoing.content["text"]) if outgoing.type == "announcement" else None


class Judge:
    """Hears from the pipeline what was decided; tells it once, or raises what a handler failed of."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        """`is_own` says which files are the plugin's: a traceback begins there."""
        self._is_own = is_own
        self._decisions: list[Decision] = []
        self._failures: list[BaseException] = []

    def decided(self, plugin: str, handler: str, decisions: Sequence[Decision]) -> None:
        """As the pipeline says."""
        self._decisions += decisions

    def failed(self, plugin: str, handler: str, error: BaseException) -> None:
        """As the pipeline says."""
        if isinstance(error, LateError):
            late = TimeoutError(f"{plugin}.{handler} {error}")
            self._failures.append(late)
            return
        shortened = self._shortened(error.__traceback__)
        if shortened is None:
            error.add_note(f"that is what {plugin}.{handler} returned")
        self._failures.append(error.with_traceback(shortened))

    def told(self) -> Decisions:
        """What was decided since the last time; raises the first failure instead, where there was one."""
        __tracebackhide__ = True
        decisions, self._decisions = Decisions(self._decisions), []
        failures, self._failures = self._failures, []
        if failures:
            first, *others = failures
            for other in others:
                first.add_note(f"and then: {''.join(traceback.format_exception_only(other)).strip()}")
            raise first
        return decisions

    def _shortened(self, found: TracebackType | None) -> TracebackType | None:
        """The way to the error from the plugin's own code on; None where that was not on the way."""
        while found is not None and not self._is_own(found.tb_frame.f_code.co_filename):
            found = found.tb_next
        return found
