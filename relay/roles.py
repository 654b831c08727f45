"""Each role, built from the configuration; with the supervisor and `testing`, all that knows everybody.

A role imports its parts when it is built: each is a process of its own, which need not hold the others'.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from relay.clock import Clock
from relay.config import (
    RESERVED,
    Config,
    folder_problems,
    unknown_disabled,
    unknown_names,
    validate_settings,
    warnings_of,
)
from relay.errors import ConfigurationError, PluginError, Problem
from relay.routing import loader
from relay.routing.loader import Found, Loaded
from relay.store.protocol import Store
from relay.store.sqlite import SqliteStore
from relay.store.states import DeliveryKind

if TYPE_CHECKING:
    from relay.operating.rehearsal import Rehearsal
    from relay.receiving.receiver import Receiver, ReceiverSettings
    from relay.routing.blackbox import BlackBox
    from relay.routing.pipeline import Pipeline, Witness
    from relay.routing.router import Router
    from relay.routing.swap import Offer
    from relay.sending.client import Transport
    from relay.sending.retention import Retention
    from relay.sending.sender import Sender
    from relay.store.journal import Journal
    from relay.store.sqlite.rehearsing import RehearsedStore

log = structlog.get_logger("relay.roles")


@dataclass(slots=True)
class Loading:
    """What became of the plugins: those that run, those that do not, and what settings have wrong."""

    loaded: list[Loaded] = field(default_factory=list)
    failed: list[tuple[Found, PluginError]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def open_store(
    config: Config, clock: Clock, *, read_only: bool = False, patient: bool = False, hurried: bool = False
) -> SqliteStore:
    """The store that `storage.url` names; raises `StorageError`."""
    return SqliteStore(config.database, clock, read_only=read_only, patient=patient, hurried=hurried)


def load_plugins(config: Config) -> Loading:
    """Load every plugin and its settings; whatever is wrong is told in full, and nothing is raised."""
    loading, files = look_for_plugins(config)
    for found in files:
        load_plugin(config, found, loading)
    return loading


def look_for_plugins(config: Config) -> tuple[Loading, list[Found]]:
    """The files to load, in order, and what bot.toml has wrong about their names; nothing of them runs."""
    plugins = config.plugins
    unreadable = list(folder_problems(plugins))
    if unreadable:
        return Loading(problems=unreadable), []
    here = loader.sources(plugins.folder, plugins.held)
    names = Loading(
        problems=list(unknown_names(plugins, here)), warnings=list(unknown_disabled(plugins, here))
    )
    order = [name for name in plugins.order if name in here]
    return names, loader.find(plugins.folder, order, plugins.disabled, plugins.held)


def load_plugin(config: Config, found: Found, loading: Loading) -> None:
    """Run the file, read its settings, and add what became of it."""
    table = config.plugins.settings.get(found.name, {})
    path = f"plugins.{found.name}"
    try:
        plugin = loader.load(found)
        with loader.blaming(found):
            settings = validate_settings(plugin.settings, table, path, config.chats, RESERVED)
            loading.warnings += warnings_of(settings, table, path)
            bound = plugin.bound(settings, config.chats.resolve)
    except PluginError as exc:
        loading.failed.append((found, exc))
    except ConfigurationError as exc:
        loading.problems.extend(exc.problems)
    else:
        timeout = int(config.plugins.timeout_of(found.name))
        version, observe = version_of(config, found), found.name in config.plugins.observing
        loading.loaded.append(
            Loaded(
                found.name,
                plugin,
                settings,
                timeout,
                found.source,
                found.path,
                version=version,
                bound=bound,
                observe=observe,
                switch=config.plugins.switch_of(found.name),
            )
        )


def version_of(config: Config, found: Found) -> str:
    """A word that is another one for other files or settings of a plugin."""
    plugins, name = config.plugins, found.name
    own = json.dumps(plugins.settings.get(name, {}), default=str, sort_keys=True)
    switches = (plugins.timeout_of(name), name in plugins.observing, plugins.switch_of(name))
    return loader.version_of(found, own, *switches, config.chats)


def offers(config: Config) -> list[Offer]:
    """The plugins as this configuration has them, to be loaded where they are not what runs."""
    from relay.routing.swap import Offer

    _, files = look_for_plugins(config)
    return [Offer(each.name, version_of(config, each), partial(_loaded, config, each)) for each in files]


def _loaded(config: Config, found: Found) -> Loaded:
    loading = Loading()
    load_plugin(config, found, loading)
    for _, error in loading.failed:
        raise error
    if loading.problems:
        raise ConfigurationError(tuple(loading.problems), config.bot.language)
    return loading.loaded[0]


def receiver_settings(config: Config) -> ReceiverSettings:
    """What the public door is to accept."""
    from relay.receiving.receiver import ReceiverSettings

    return ReceiverSettings(
        callback_path=config.server.callback_path.get_secret_value(),
        key=config.platform.callback_key,
        allowed_ips=config.server.allowed_networks,
        platform_ips=config.server.platform_ips,
        trusted_proxies=config.server.trusted_proxies,
        max_body=int(config.server.max_body),
        allow_plaintext=config.server.allow_plaintext,
    )


def build_receiver(config: Config, store: Store, clock: Clock, *, spooling: bool = True) -> Receiver:
    """The receiver; raises `StorageError` where it can have no journal."""
    from relay.receiving.intake import Intake, opener
    from relay.receiving.receiver import Receiver
    from relay.store.ballast import Ballast
    from relay.store.journal import beside

    settings = receiver_settings(config)
    journal = beside(config.database, store.origin)
    spool = open_spool(config, store) if spooling else None
    intake = Intake(
        store,
        [journal] if spool is None else [journal, spool],
        opener(settings.key, allow_plaintext=settings.allow_plaintext),
        Ballast(config.database),
        spools_of(config, journal.path.parent) if spooling else (),
    )
    return Receiver(journal, spool, intake, settings, clock)


def open_spool(config: Config, store: Store) -> Journal | None:
    """The spool, if there is to be one; where there can be none, the log says why."""
    from relay.store.journal import Journal
    from relay.store.spool import IN_MEMORY, folder_of, make_private

    folder = folder_of(config.storage.spool, config.folder, config.database)
    if folder is None:
        return None
    try:
        make_private(folder)
        return Journal.create(folder, store.origin, IN_MEMORY)
    except OSError as exc:
        log.warning("spool_not_available", error=str(exc))
        return None


def spools_of(config: Config, journals: Path) -> list[Path]:
    """Every folder that was this bot's spool."""
    from relay.store.spool import folder_of, remember

    folder = folder_of(config.storage.spool, config.folder, config.database)
    return remember(journals, folder)


def build_pipeline(
    config: Config,
    store: Store,
    clock: Clock,
    plugins: Sequence[Loaded],
    box: BlackBox | None = None,
    witness: Witness | None = None,
    aging: Clock | None = None,
) -> Pipeline:
    """The one way from a message to decisions, for the live bot, for rehearsals and for tests.

    `aging` is the clock by which names grow old, where `clock` leaps from message to message.
    """
    from relay.authoring.names import Names
    from relay.authoring.state import StateBook
    from relay.routing.calls import Calls
    from relay.routing.conversations import Conversations
    from relay.routing.pipeline import Memory, Pipeline

    names = Names(store, aging or clock, _given_names(config))
    memory = Memory(StateBook(store, clock), names, Conversations(store))
    return Pipeline(plugins, clock, config.bot.zone, config.chats.resolve, memory, Calls(box), witness)


def build_rehearsal(config: Config, store: RehearsedStore, clock: Clock, loading: Loading) -> Rehearsal:
    """The live bot's pipeline over a copy of what plugins remember, told that it is a rehearsal."""
    from relay.operating.rehearsal import Rehearsal

    pipeline = build_pipeline(config, store, clock, loading.loaded)
    return Rehearsal(config, store, pipeline, clock, loading.failed)


def build_router(
    config: Config,
    store: Store,
    clock: Clock,
    plugins: Sequence[Loaded],
    box: BlackBox | None = None,
    witness: Witness | None = None,
) -> Router:
    """The router, with these plugins; `box` tells it how the one before ended."""
    from relay.routing.occasions import Occasions
    from relay.routing.router import Router, RouterSettings
    from relay.routing.standing import Standing

    pipeline = build_pipeline(config, store, clock, plugins, box, witness)
    occasions = Occasions(store, pipeline, clock, int(config.delivery.expire_after))
    settings = RouterSettings(
        remember=int(config.storage.remember),
        expire_after=int(config.delivery.expire_after),
        zone=config.bot.zone,
        accounts_configured=bool(config.platform.accounts),
    )
    standing = Standing(store, clock, pipeline.calls.box)
    pipeline.parking = standing.parking
    for each in plugins:
        standing.runs(each)
    occasions.life.standing = standing
    return Router(store, pipeline, clock, settings, box, occasions, standing)


def build_transport(config: Config) -> Transport:
    """The way to the platform."""
    from relay.sending.client import HttpTransport

    return HttpTransport(config.platform.base_url, config.platform.timeout.seconds)


def build_sender(config: Config, store: Store, clock: Clock, transport: Transport) -> Sender:
    """The sender, over this transport."""
    from relay.sending.attempts import Policy
    from relay.sending.client import Client, Credentials
    from relay.sending.lanes import Lanes, Pace
    from relay.sending.lookup import LookupSettings
    from relay.sending.sender import Sender, SenderSettings

    delivery = config.delivery
    credentials = Credentials(config.platform.app_id, config.platform.app_secret.get_secret_value())
    settings = SenderSettings(
        policy=Policy(
            max_attempts=delivery.max_attempts,
            confirm_after=int(delivery.confirm_after),
            resolve_within=int(delivery.resolve_within),
        ),
        lookup=LookupSettings(
            on_unknown={
                DeliveryKind.SEND: delivery.on_unknown_send,
                DeliveryKind.FORWARD: delivery.on_unknown_forward,
            },
            resolve_within=int(delivery.resolve_within),
            max_attempts=delivery.max_attempts,
            calls_per_minute=delivery.log_calls_per_minute,
        ),
        repair_calls=delivery.repair_calls_per_minute,
        forward_batch=delivery.forward_batch,
        send_batch=delivery.send_batch,
        given_names=_given_names(config),
        chats=sorted({wxid for wxids in config.chats.names.values() for wxid in wxids}),
        platform_ips=config.server.platform_ips,
    )
    lanes = Lanes(Pace(delivery.per_minute, int(delivery.min_interval), delivery.jitter))
    return Sender(store, Client(transport, credentials, clock), lanes, clock, settings)


def build_retention(config: Config, store: Store, clock: Clock, sender: Sender) -> Retention:
    """The chore that removes what is long settled; the sender knows what the platform's clock shows."""
    from relay.sending.retention import Retention, RetentionSettings

    kept = config.storage
    settings = RetentionSettings(int(kept.retain), int(kept.remember))
    return Retention(store, clock, settings, sender.platform_now)


def _given_names(config: Config) -> dict[str, str]:
    """What bot.toml calls single chats."""
    return {wxids[0]: name for name, wxids in config.chats.names.items() if len(wxids) == 1}
