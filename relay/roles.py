"""Each role, built from the configuration; with the supervisor and `testing`, all that knows everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay import loader
from relay.attempts import Policy
from relay.client import Client, Credentials, HttpTransport, Transport
from relay.clock import Clock
from relay.config import Config, validate_settings
from relay.errors import ConfigurationError, PluginError, Problem
from relay.lanes import Lanes, Pace
from relay.loader import Found, Loaded
from relay.names import Names
from relay.pipeline import Memory, Pipeline
from relay.receiver import Receiver, ReceiverSettings
from relay.router import Router, RouterSettings
from relay.sender import Sender, SenderSettings
from relay.state import StateBook
from relay.store.protocol import Store
from relay.store.sqlite import SqliteStore


@dataclass(slots=True)
class Loading:
    """What became of the plugins: those that run, those that do not, and what their settings got wrong."""

    loaded: list[Loaded] = field(default_factory=list)
    failed: list[tuple[Found, PluginError]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def open_store(config: Config, clock: Clock) -> SqliteStore:
    """The store that `storage.url` names; raises `StorageError`."""
    return SqliteStore(config.database, clock)


def load_plugins(config: Config) -> Loading:
    """Load every plugin and its settings; whatever is wrong is told in full, and nothing is raised."""
    loading = Loading()
    try:
        found = loader.find(config.plugins.folder, config.plugins.order, config.plugins.disabled)
    except PluginError as exc:
        loading.problems.append(Problem("plugins.order", str(exc)))
        return loading
    for each in found:
        _load(config, each, loading)
    unknown = set(config.plugins.settings) - {each.name for each in found} - set(config.plugins.disabled)
    for name in sorted(unknown):
        hint = f"put {name}.py into {config.plugins.folder.name}/, or remove the table"
        loading.problems.append(Problem(f"plugins.{name}", "there is no such plugin", hint=hint))
    return loading


def _load(config: Config, found: Found, loading: Loading) -> None:
    table = config.plugins.settings.get(found.name, {})
    try:
        plugin = loader.load(found)
        settings = validate_settings(plugin.settings, table, f"plugins.{found.name}", config.chats)
    except PluginError as exc:
        loading.failed.append((found, exc))
    except ConfigurationError as exc:
        loading.problems.extend(exc.problems)
    else:
        timeout = int(config.plugins.timeout_of(found.name))
        loading.loaded.append(Loaded(found.name, plugin, settings, timeout, found.source, found.path))


def receiver_settings(config: Config) -> ReceiverSettings:
    """What the public door is to accept."""
    return ReceiverSettings(
        callback_path=config.server.callback_path.get_secret_value(),
        key=config.platform.callback_key,
        allowed_ips=config.server.allowed_ips,
        trusted_proxies=config.server.trusted_proxies,
        max_body=int(config.server.max_body),
        allow_plaintext=config.server.allow_plaintext,
    )


def build_receiver(config: Config, store: Store) -> Receiver:
    """The receiver."""
    return Receiver(store, receiver_settings(config))


def build_router(config: Config, store: Store, clock: Clock, plugins: Sequence[Loaded]) -> Router:
    """The router, with these plugins."""
    given = {wxids[0]: name for name, wxids in config.chats.names.items() if len(wxids) == 1}
    memory = Memory(StateBook(store, clock), Names(store, clock, given))
    pipeline = Pipeline(plugins, clock, config.bot.zone, config.chats.resolve, memory)
    settings = RouterSettings(
        remember=int(config.storage.remember),
        expire_after=int(config.delivery.expire_after),
        zone=config.bot.zone,
        accounts_configured=bool(config.platform.accounts),
    )
    return Router(store, pipeline, clock, settings)


def build_transport(config: Config) -> Transport:
    """The way to the platform."""
    return HttpTransport(config.platform.base_url, config.platform.timeout.seconds)


def build_sender(config: Config, store: Store, clock: Clock, transport: Transport) -> Sender:
    """The sender, over this transport."""
    delivery = config.delivery
    credentials = Credentials(config.platform.app_id, config.platform.app_secret.get_secret_value())
    settings = SenderSettings(
        policy=Policy(
            max_attempts=delivery.max_attempts,
            confirm_after=int(delivery.confirm_after),
            resolve_within=int(delivery.resolve_within),
        ),
        forward_batch=delivery.forward_batch,
        send_batch=delivery.send_batch,
    )
    lanes = Lanes(Pace(delivery.per_minute, int(delivery.min_interval), delivery.jitter))
    return Sender(store, Client(transport, credentials, clock), lanes, clock, settings)
