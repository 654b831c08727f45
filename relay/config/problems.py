"""How a mistake in the configuration is put into words, without giving a secret away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from pydantic_core import InitErrorDetails, ValidationError

TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    str: "text",
    list: "a list",
    dict: "a table",
    type(None): "nothing",
}

MASK = "***"
LONGEST_SHOWN = 60

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

    `at` leads from what is being read to the part that is wrong, where these are not the same.
    """

    def __init__(self, message: str, hint: str | None = None, *, at: Location = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
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


def kind(value: object) -> str:
    """What a value is, in the words of somebody who writes TOML."""
    return TYPE_NAMES.get(type(value), "text" if isinstance(value, str) else "a date or a time")


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


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word that looks most like this one."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean `{by_folded[close[0]]}`?" if close else None


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
