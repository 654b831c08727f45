"""How a mistake in the configuration is put into words, without giving a secret away."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from heapq import nsmallest

from pydantic_core import InitErrorDetails, ValidationError

from relay.config import texts
from relay.language import Said, Text, Words, finished

TYPE_NAMES = {
    bool: texts.BOOLEAN,
    int: texts.WHOLE,
    float: texts.DECIMAL,
    str: texts.TEXT,
    list: texts.LIST,
    dict: texts.TABLE,
    type(None): texts.NOTHING,
}

MASK = "***"
LONGEST_SHOWN = 60
MANY = 200

SECRET_PATHS = frozenset(
    {
        "platform.app_secret",
        "platform.encoding_aes_key",
        "server.callback_path",
        "console.password",
        "console.metrics_token",
    }
)
"""The keys of bot.toml whose values are never shown, wherever they came from."""

SECRET_WORDS = re.compile(r"secret|passw|token|credential|api_?key|aes|callback_p", re.IGNORECASE)
"""A key with one of these in its name is masked even where it is misspelt or belongs to a plugin."""

PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)\S*@")

Location = tuple[str | int, ...]


class UnfitError(ValueError):
    """What is wrong with one value and what to do about it; it never quotes the value itself.

    Both are told in the operator's language where they are a `Text`. `at` leads from what is being read to
    the part that is wrong, where these are not the same.
    """

    def __init__(self, message: Words, hint: Words | None = None, *, at: Location = ()) -> None:
        super().__init__(str(message))
        self.message = finished(message)
        self.hint = None if hint is None else finished(hint)
        self.at = at


def refuse(problems: Iterable[UnfitError]) -> None:
    """Raise all of these at once, each at its place, if there are any; for validators of whole tables."""
    details = [
        InitErrorDetails(type="value_error", input=None, ctx={"error": problem}) for problem in problems
    ]
    if details:
        raise ValidationError.from_exception_data("settings", details)


class Substituted(str):
    """Text that came from the environment: a secret for all we know, so it shows itself as `***`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def key_path(location: Sequence[str | int]) -> str:
    """The location as a reader of bot.toml would write it: `plugins.keyword_reply.rules[2].contains`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + _bare(part)
    return path


def _bare(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else json.dumps(key, ensure_ascii=False)


def kind(value: object) -> Said:
    """What a value is, in the words of somebody who writes TOML."""
    other = texts.TEXT if isinstance(value, str) else texts.MOMENT
    return TYPE_NAMES.get(type(value), other).filled()


def mistaken(wanted: Text | Said, value: object, hint: Words | None = None) -> UnfitError:
    """The complaint about a value of the wrong type."""
    return UnfitError(texts.EXPECTED.filled(wanted=wanted, found=kind(value)), hint)


def is_secret(path: str) -> bool:
    """Whether the value of this key must not be shown."""
    last = re.sub(r"(\[\d+\])+$", "", path).rpartition(".")[2]
    return path in SECRET_PATHS or SECRET_WORDS.search(last) is not None


def shown(value: object, path: str) -> str:
    """The value as TOML, shortened; `***` where it is secret or came from the environment."""
    if is_secret(path):
        return MASK
    text = _toml(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _toml(value: object) -> str:
    if isinstance(value, Substituted):
        return MASK
    if isinstance(value, str):
        return json.dumps(PASSWORD_IN_URL.sub(rf"\1{MASK}@", value), ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return "{…}" if isinstance(value, Mapping) else str(value)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every one of these values replaced by `***`; values under 4 characters are no secrets."""
    for secret in sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def masked(words: Words, secrets: Iterable[str]) -> Said:
    """The same in both languages."""
    said, known = finished(words), tuple(secrets)
    return Said(mask(said.zh, known), mask(said.en, known), said.code)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, or that it is the beginning of."""
    by_folded = {name.casefold(): name for name in known}
    folded = word.casefold()
    close = get_close_matches(folded, _likely(folded, by_folded), n=1, cutoff=0.6)
    if not close and len(folded) >= 4:
        close = [name for name in by_folded if name.startswith(folded)]
    return by_folded[close[0]] if close else None


def _likely(word: str, names: Collection[str]) -> Collection[str]:
    """Of a great many names those worth a close look: about as long, and of about the same letters."""
    if len(names) <= MANY or len(word) > LONGEST_SHOWN:
        return names if len(names) <= MANY else ()
    letters = set(word)
    similar = [name for name in names if abs(len(name) - len(word)) <= 2]
    return nsmallest(MANY, similar, key=lambda name: len(letters.symmetric_difference(name)))


def did_you_mean(word: str, known: Iterable[str]) -> Said | None:
    """A hint naming the known word that looks most like this one."""
    near = nearest(word, known)
    return texts.MEANT.filled(name=near) if near is not None else None


def substituted(value: object) -> Iterable[str]:
    """Every text in this value that came from the environment, at whatever depth."""
    if isinstance(value, Substituted):
        yield str(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from substituted(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from substituted(item)
