"""bot.toml as one checked, frozen value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from relay.config.chats import Chats
from relay.config.problems import is_secret, substituted
from relay.config.tables import Bot, Console, Delivery, Platform, Server, Storage
from relay.config.values import Duration, Size
from relay.errors import Problem


@dataclass(frozen=True, slots=True)
class Switch:
    """In which chats a plugin runs: `chats` and `not_chats` of its table."""

    chats: tuple[str, ...] = ()
    not_chats: tuple[str, ...] = ()

    def refusal(self, plugin: str, chat: str) -> str | None:
        """Why the plugin does not run in this chat, or None."""
        if self.chats and chat not in self.chats:
            return f"plugins.{plugin}.chats: {chat} is not among {_listed(self.chats)}"
        if self.not_chats and chat in self.not_chats:
            return f"plugins.{plugin}.not_chats: {chat} is among them"
        return None


def _listed(chats: tuple[str, ...]) -> str:
    first = ", ".join(chats[:5])
    return first if len(chats) <= 5 else f"{first} and {len(chats) - 5} more"


EVERYWHERE = Switch()


@dataclass(frozen=True, slots=True)
class Plugins:
    """`[plugins]`: what holds for all of them, and each one's own table as it was written."""

    folder: Path
    order: tuple[str, ...]
    disabled: tuple[str, ...]
    timeout: Duration
    memory_limit: Size
    timeouts: Mapping[str, Duration]
    observing: frozenset[str]
    switches: Mapping[str, Switch]
    settings: Mapping[str, Mapping[str, object]] = field(repr=False)
    held: Mapping[str, bytes] | None = field(default=None, repr=False)
    """The folder's files by path, as they were when they were accepted; None: what is on disk counts."""

    def timeout_of(self, plugin: str) -> Duration:
        """The limit for one handler of this plugin and one message."""
        return self.timeouts.get(plugin, self.timeout)

    def switch_of(self, plugin: str) -> Switch:
        """In which chats this plugin runs."""
        return self.switches.get(plugin, EVERYWHERE)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that bot.toml says, checked; relative paths are resolved against `folder`."""

    path: Path
    folder: Path
    bot: Bot
    platform: Platform
    server: Server
    console: Console
    storage: Storage
    delivery: Delivery
    chats: Chats
    plugins: Plugins
    warnings: tuple[Problem, ...] = ()
    filled_in: tuple[str, ...] = field(default=(), repr=False)

    @property
    def database(self) -> Path:
        """The database file that `storage.url` names."""
        return self.folder / self.storage.url.removeprefix("sqlite:///")

    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a log: the secret keys, and what plugins got from the environment."""
        tables = (self.platform, self.server, self.console)
        declared = (
            v.get_secret_value() for t in tables for v in dict(t).values() if isinstance(v, SecretStr)
        )
        plugins = (
            text for name, table in self.plugins.settings.items() for text in _secret_texts(table, name)
        )
        return tuple(dict.fromkeys(text for text in (*declared, *self.filled_in, *plugins) if text))


def _secret_texts(value: object, path: str) -> Iterator[str]:
    """The texts in a plugin's table that came from the environment or stand at a secret's name."""
    yield from substituted(value)
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secret_texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, path)
    elif isinstance(value, str) and is_secret(path):
        yield value
