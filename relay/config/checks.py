"""What two keys cannot be at the same time, and what is allowed but unwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from relay.config import texts
from relay.config.tables import Bot, Console, Delivery, Platform, PluginDefaults, Server, Storage
from relay.errors import Problem

EVERY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound to
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
GUESSABLE = 16
"""A secret with fewer characters than this can be found by trying."""


@dataclass(frozen=True, slots=True)
class Tables:
    """All fixed tables of one file; a key that has a problem of its own holds no value in them."""

    bot: Bot
    platform: Platform
    server: Server
    console: Console
    storage: Storage
    delivery: Delivery
    plugins: PluginDefaults


@dataclass(frozen=True, slots=True)
class Check:
    """A rule over several keys, left out where one of them has a problem of its own; it quotes no values."""

    keys: tuple[str, ...]
    find: Callable[[Tables], Problem | None]


def _password(tables: Tables) -> Problem | None:
    console = tables.console
    if not console.enabled or console.password.get_secret_value().strip():
        return None
    return Problem("console.password", texts.PASSWORD, hint=texts.PASSWORD_HINT)


def _doors(tables: Tables) -> Problem | None:
    server, console = tables.server, tables.console
    if not console.enabled or server.port != console.port or not server.port or not _overlap(server, console):
        return None
    return Problem("console.port", texts.PORTS, hint=texts.PORTS_HINT)


def _overlap(server: Server, console: Console) -> bool:
    hosts = {server.host, console.host}
    return len(hosts) == 1 or bool(hosts & EVERY_INTERFACE) or hosts <= LOOPBACK


def _token(tables: Tables) -> Problem | None:
    console = tables.console
    token = console.metrics_token.get_secret_value()
    if not token or token != console.password.get_secret_value():
        return None
    return Problem("console.metrics_token", texts.TOKEN, hint=texts.TOKEN_HINT)


def _resolved_in_time(tables: Tables) -> Problem | None:
    delivery = tables.delivery
    if delivery.resolve_within < delivery.expire_after:
        return None
    message = texts.SHORTER.filled(other="delivery.expire_after")
    return Problem("delivery.resolve_within", message, hint=texts.RESOLVE_HINT)


def _sent_in_time(tables: Tables) -> Problem | None:
    delivery = tables.delivery
    if delivery.min_interval < delivery.expire_after:
        return None
    message = texts.SHORTER.filled(other="delivery.expire_after")
    return Problem("delivery.min_interval", message, hint=texts.INTERVAL_HINT)


def _remembered(tables: Tables) -> Problem | None:
    if tables.storage.remember <= tables.delivery.expire_after:
        message = texts.LONGER.filled(other="delivery.expire_after")
        return Problem("storage.remember", message, hint=texts.REMEMBER_HINT)
    if tables.storage.remember < tables.storage.retain:
        message = texts.NOT_SHORTER.filled(other="storage.retain")
        return Problem("storage.remember", message, hint=texts.RETAIN_HINT)
    return None


IMPOSSIBLE = (
    Check(("console.enabled", "console.password"), _password),
    Check(("server.host", "server.port", "console.host", "console.port", "console.enabled"), _doors),
    Check(("console.password", "console.metrics_token"), _token),
    Check(("delivery.resolve_within", "delivery.expire_after"), _resolved_in_time),
    Check(("delivery.min_interval", "delivery.expire_after"), _sent_in_time),
    Check(("storage.remember", "storage.retain", "delivery.expire_after"), _remembered),
)
"""Pairs that stop the start."""


def _unencrypted(tables: Tables) -> Problem | None:
    if not tables.platform.base_url.startswith("http:"):
        return None
    return Problem("platform.base_url", texts.UNENCRYPTED, hint=texts.UNENCRYPTED_HINT)


def _guessable_path(tables: Tables) -> Problem | None:
    longest = max(len(part) for part in tables.server.callback_path.get_secret_value().split("/"))
    if longest >= GUESSABLE:
        return None
    hint = texts.GUESSABLE_PATH_HINT.filled(count=GUESSABLE)
    return Problem("server.callback_path", texts.GUESSABLE, hint=hint)


def _guessable_password(tables: Tables) -> Problem | None:
    if not 0 < len(tables.console.password.get_secret_value()) < 8:
        return None
    return Problem("console.password", texts.GUESSABLE, hint=texts.GUESSABLE_PASSWORD_HINT)


def _anybody(tables: Tables) -> Problem | None:
    server = tables.server
    if not server.allow_plaintext or server.allowed_ips or server.host in LOOPBACK:
        return None
    return Problem("server.allow_plaintext", texts.ANYBODY, hint=texts.ANYBODY_HINT)


UNWISE = (
    Check(("platform.base_url",), _unencrypted),
    Check(("server.callback_path",), _guessable_path),
    Check(("console.password",), _guessable_password),
    Check(("server.allow_plaintext", "server.allowed_ips", "server.host"), _anybody),
)
"""What is allowed, and worth a warning."""


def run(checks: Iterable[Check], tables: Tables, bad: Iterable[str]) -> Iterator[Problem]:
    """What these checks find, leaving out those that concern a key with a problem of its own."""
    spoilt = {path.partition("[")[0] for path in bad}
    for check in checks:
        if spoilt.isdisjoint(check.keys):
            problem = check.find(tables)
            if problem is not None:
                yield problem
