"""Which messages a rule or route chooses, and what becomes of them: what `relay check` compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.authoring.matching import Literals
from relay.authoring.schedule import Days, Hours


@dataclass(frozen=True, slots=True)
class Selection:
    """What one table of a plugin's settings says, for `relay check` to compare it with its neighbours.

    A settings model of a list of tables gives one in a method `selection()`, or None for a table that is
    off; keys of the same names are told with their place. An empty condition is none. Words are meant in
    their normal form; one of `words` and `patterns` must match.
    """

    chats: Sequence[str] = ()
    not_chats: Sequence[str] = ()
    senders: Sequence[str] = ()
    not_senders: Sequence[str] = ()
    accounts: Sequence[str] = ()
    types: Sequence[str] = ()
    not_types: Sequence[str] = ()
    chat_type: str = "any"
    hours: Hours = field(default_factory=Hours)
    days: Days = ()
    words: Literals = field(default_factory=Literals)
    patterns: Sequence[str] = ()  #: RE2, searched in the text as received
    not_contains: Sequence[str] = ()
    late: bool = True  #: also messages that were fetched after an outage
    own: bool = False  #: also what staff type on our accounts' phones
    always: bool = True  #: false where it may let a message pass that it chooses, as with a cooldown
    final: bool = False  #: whether nothing after it sees what it chooses
    to: Sequence[str] = ()  #: chats that get the message itself
    account: str = ""  #: ours that sends there, where that is said
    verbatim: bool = True  #: false where it is sent as a text, which is never the same as a forward
    once: bool = False  #: whether a target that an earlier table of the list serves is left out here
    keys: Mapping[str, str] = field(default_factory=dict)  #: what the table calls one of these otherwise

    @property
    def is_anything(self) -> bool:
        """Whether it asks nothing of what is said."""
        return not (self.patterns or any(words for _, words in self.alternatives()) or self.not_contains)

    def alternatives(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The words by the key they stand at."""
        words = self.words
        return (
            ("equals", words.equals),
            ("contains", words.contains),
            ("contains_all", words.contains_all),
            ("prefix", words.prefix),
        )
