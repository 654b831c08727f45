"""What two keys cannot be at the same time, and what is allowed but unwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

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
    hint = 'add password = "${RELAY_CONSOLE_PASSWORD}", or write enabled = false'
    return Problem("console.password", "is required while the console is enabled", hint=hint)


def _doors(tables: Tables) -> Problem | None:
    server, console = tables.server, tables.console
    if not console.enabled or server.port != console.port or not server.port or not _overlap(server, console):
        return None
    return Problem(
        "console.port", "is the same as server.port", hint="the two doors need a port each; default: 8081"
    )


def _overlap(server: Server, console: Console) -> bool:
    hosts = {server.host, console.host}
    return len(hosts) == 1 or bool(hosts & EVERY_INTERFACE) or hosts <= LOOPBACK


def _token(tables: Tables) -> Problem | None:
    console = tables.console
    token = console.metrics_token.get_secret_value()
    if not token or token != console.password.get_secret_value():
        return None
    hint = "make up another token: whoever reads the metrics should not be able to log in"
    return Problem("console.metrics_token", "is the same as console.password", hint=hint)


def _resolved_in_time(tables: Tables) -> Problem | None:
    delivery = tables.delivery
    if delivery.resolve_within < delivery.expire_after:
        return None
    hint = 'else a delivery expires before its outcome is known; default: "30s"'
    return Problem("delivery.resolve_within", "must be shorter than delivery.expire_after", hint=hint)


def _sent_in_time(tables: Tables) -> Problem | None:
    delivery = tables.delivery
    if delivery.min_interval < delivery.expire_after:
        return None
    hint = 'else every second message expires while it waits; default: "0s"'
    return Problem("delivery.min_interval", "must be shorter than delivery.expire_after", hint=hint)


def _remembered(tables: Tables) -> Problem | None:
    if tables.storage.remember > tables.delivery.expire_after:
        return None
    hint = 'else a message is forgotten while it may still be sent; default: "180d"'
    return Problem("storage.remember", "must be longer than delivery.expire_after", hint=hint)


IMPOSSIBLE = (
    Check(("console.enabled", "console.password"), _password),
    Check(("server.host", "server.port", "console.host", "console.port", "console.enabled"), _doors),
    Check(("console.password", "console.metrics_token"), _token),
    Check(("delivery.resolve_within", "delivery.expire_after"), _resolved_in_time),
    Check(("delivery.min_interval", "delivery.expire_after"), _sent_in_time),
    Check(("storage.remember", "delivery.expire_after"), _remembered),
)
"""Pairs that stop the start."""


def _unencrypted(tables: Tables) -> Problem | None:
    if not tables.platform.base_url.startswith("http:"):
        return None
    hint = "use https where the platform offers it"
    return Problem("platform.base_url", "app_secret and messages travel unencrypted", hint=hint)


def _guessable_path(tables: Tables) -> Problem | None:
    longest = max(len(part) for part in tables.server.callback_path.get_secret_value().split("/"))
    if longest >= GUESSABLE:
        return None
    hint = f"put {GUESSABLE} random characters or more into it"
    return Problem("server.callback_path", "is short enough to be guessed", hint=hint)


def _guessable_password(tables: Tables) -> Problem | None:
    if not 0 < len(tables.console.password.get_secret_value()) < 8:
        return None
    return Problem("console.password", "is short enough to be guessed", hint="use 8 characters or more")


def _anybody(tables: Tables) -> Problem | None:
    server = tables.server
    if not server.allow_plaintext or server.allowed_ips or server.host in LOOPBACK:
        return None
    message = "whoever learns the callback path can invent messages"
    return Problem("server.allow_plaintext", message, hint="list the platform's addresses in allowed_ips")


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
