"""The tables of bot.toml: every key with its default and what it does, in one sentence."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections import Counter
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, SecretStr
from pydantic.fields import FieldInfo

from relay.config import texts
from relay.config.complaints import written
from relay.config.problems import UnfitError, did_you_mean, mistaken
from relay.config.values import Duration, Measure, Size
from relay.language import Text
from relay.wire.crypto import parse_key

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PLATFORM = "platform"
"""In `allowed_ips`: whatever the platform lists."""


def _timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        hint = did_you_mean(name, zoneinfo.available_timezones()) or texts.TIME_ZONE_HINT
        raise UnfitError(texts.TIME_ZONE, hint) from None
    return name


def _base_url(text: str) -> str:
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        whole = False
    if not whole or re.search(r"[\s?#@]", text):
        raise UnfitError(texts.BASE_URL, texts.BASE_URL_HINT)
    return text.rstrip("/")


def _aes_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value()
    try:
        parse_key(key)
    except ValueError:
        length = len(key) not in (32, 43)
        message = texts.KEY_LENGTH.filled(count=len(key)) if length else texts.KEY_BASE64
        raise UnfitError(message if key.isascii() else texts.KEY_ASCII, texts.KEY_HINT) from None
    return secret


def _callback_path(secret: SecretStr) -> SecretStr:
    path = secret.get_secret_value()
    if not path.startswith("/"):
        raise UnfitError(texts.SLASH, texts.PATH_HINT)
    if path.rstrip("/") in ("", "/healthz", "/readyz"):
        raise UnfitError(texts.PATH_TAKEN, texts.PATH_HINT)
    if not re.fullmatch(r"[A-Za-z0-9/._~!$&'()*+,;=:@-]+", path):
        raise UnfitError(texts.PATH_LETTERS, texts.PATH_HINT)
    if path.endswith("/"):
        raise UnfitError(texts.PATH_ENDS, texts.PATH_HINT)
    return secret


def _network(value: object) -> object:
    if not isinstance(value, str):
        raise mistaken(texts.NETWORK, value)
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise UnfitError(texts.NOT_NETWORK, texts.NETWORK_HINT) from None


def _source(value: object) -> object:
    return value if value == PLATFORM else _network(value)


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+(%\w+)?", text):
        raise UnfitError(texts.HOST, texts.HOST_HINT)
    return text


def _database(url: str) -> str:
    if url.startswith(("postgresql:", "postgres:")):
        raise UnfitError(texts.NO_POSTGRES, texts.NO_POSTGRES_HINT)
    if not re.fullmatch(r"sqlite:///[^?#]*[^?#/]", url) or url == "sqlite:///:memory:":
        raise UnfitError(texts.DATABASE, texts.DATABASE_HINT)
    return url


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UnfitError(texts.TWICE.filled(names=", ".join(twice)), texts.TWICE_HINT)
    return names


def _present(value: str) -> str:
    if not value.strip():
        raise UnfitError(texts.EMPTY)
    return value


def _secret_present(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise UnfitError(texts.EMPTY, texts.EMPTY_SECRET)
    return value


def _more_than_none(value: Measure) -> Measure:
    if value <= 0:
        raise UnfitError(texts.NONE.filled(zero=value.ZERO))
    return value


LEAST_MEMORY = Size("256MB")
"""With less, the router itself would have none to start with."""


def _enough(size: Size) -> Size:
    if 0 < size < LEAST_MEMORY:
        raise UnfitError(texts.LITTLE_MEMORY.filled(least=LEAST_MEMORY))
    return size


LEAST_RETAINED = Duration("1d")
"""So long what we sent may come back, and has to be known as our own."""


def _a_day(length: Duration) -> Duration:
    if length < LEAST_RETAINED:
        raise UnfitError(texts.LEAST.filled(least=LEAST_RETAINED), texts.RETAIN_LEAST_HINT)
    return length


Length = Annotated[Duration, AfterValidator(_more_than_none)]
Port = Annotated[int, Field(ge=0, le=65535)]
Host = Annotated[str, AfterValidator(_host)]
Networks = tuple[Annotated[Network, PlainValidator(_network)], ...]
Sources = tuple[Annotated[Network | Literal["platform"], PlainValidator(_source)], ...]
PluginNames = Annotated[tuple[str, ...], AfterValidator(_each_once)]


class Table(BaseModel):
    """A table of bot.toml; it is frozen, and an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Bot(Table):
    """The bot as a whole."""

    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "Asia/Shanghai", description="The time zone of hours, days and every time that people read."
    )
    language: Literal["zh", "en"] = Field(
        "zh", description="The language of console, commands and texts that the bot itself writes: zh or en."
    )

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone itself."""
        return zoneinfo.ZoneInfo(self.timezone)


class Platform(Table):
    """The platform's API and our access to it."""

    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "https://oapi-yzj.miaokol.com", description="Where the platform's API is; http gives a warning."
    )
    app_id: Annotated[str, AfterValidator(_present)] = Field(
        description="The app_id that the platform gave us.", examples=["${RELAY_APP_ID}"]
    )
    app_secret: Annotated[SecretStr, AfterValidator(_secret_present)] = Field(
        description="The app_secret that belongs to the app_id.", examples=["${RELAY_APP_SECRET}"]
    )
    encoding_aes_key: Annotated[SecretStr, AfterValidator(_aes_key)] = Field(
        description="The key of the callbacks: 32 characters, or 43 of base64.", examples=["${RELAY_AES_KEY}"]
    )
    accounts: tuple[Annotated[str, AfterValidator(_present)], ...] = Field(
        (),
        description="Our own accounts; those that the platform lists or callbacks name are added for good.",
    )
    timeout: Length = Field(Duration("10s"), description="How long one call may take as a whole.")

    @property
    def callback_key(self) -> bytes:
        """The 32 bytes of `encoding_aes_key`."""
        return parse_key(self.encoding_aes_key.get_secret_value())


class Server(Table):
    """The public door: callbacks and health, nothing else."""

    host: Host = Field("127.0.0.1", description="The address that the public door listens on.")
    port: Port = Field(8080, description="The port of the public door; 0 takes any that is free.")
    callback_path: Annotated[SecretStr, AfterValidator(_callback_path)] = Field(
        description="Where the platform posts to; keep it secret.",
        examples=["/callback/${RELAY_CALLBACK_SECRET}"],
    )
    allowed_ips: Sources = Field(
        (),
        description='Addresses or networks that may post to the callback path, "platform" for those that the '
        "platform lists; empty means any.",
    )
    trusted_proxies: Networks = Field(
        (), description="Whose X-Forwarded-For counts; nobody's by default, not even that of 127.0.0.1."
    )
    max_body: Annotated[Size, AfterValidator(_more_than_none)] = Field(
        Size("8MB"), description="The largest callback body that is read."
    )
    allow_plaintext: bool = Field(False, description="Whether callbacks that are not encrypted are accepted.")

    @property
    def allowed_networks(self) -> tuple[Network, ...]:
        """What `allowed_ips` says by itself."""
        return tuple(each for each in self.allowed_ips if not isinstance(each, str))

    @property
    def platform_ips(self) -> bool:
        """Whether whatever the platform lists may post too."""
        return PLATFORM in self.allowed_ips


class Console(Table):
    """The private door: pages, JSON API and metrics."""

    host: Host = Field("127.0.0.1", description="The address that the private door listens on.")
    port: Port = Field(8081, description="The port of the private door; 0 takes any that is free.")
    password: SecretStr = Field(
        SecretStr(""), description="What people log in with; required unless console.enabled is false."
    )
    metrics_token: SecretStr = Field(SecretStr(""), description="A token that may read /metrics only.")
    enabled: bool = Field(True, description="Whether there is a private door at all.")


class Storage(Table):
    """Where messages and deliveries are kept."""

    url: Annotated[str, AfterValidator(_database)] = Field(
        "sqlite:///relay.db", description="The database; a relative path starts at the folder of bot.toml."
    )
    retain: Annotated[Duration, AfterValidator(_a_day)] = Field(
        Duration("30d"), description="Settled messages and deliveries older than this are removed."
    )
    remember: Length = Field(
        Duration("180d"),
        description="How long ids of messages are kept against repeats; no older message is acted on.",
    )
    spool: str = Field(
        "auto",
        description="A folder on another file system, where callbacks wait while the disk is slow or full; "
        'auto: in memory; "": nowhere.',
    )


class Delivery(Table):
    """How messages go out."""

    per_minute: Annotated[int, Field(ge=1, le=500)] = Field(
        450, description="Messages a minute and account; the platform refuses more than 500."
    )
    min_interval: Duration = Field(
        Duration("0s"), description="The least time between two sends of one account."
    )
    jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Up to this fraction of a wait between sends is added to it."
    )
    max_attempts: Annotated[int, Field(ge=1)] = Field(8, description="Attempts before a delivery has failed.")
    expire_after: Length = Field(
        Duration("30m"),
        description="Counted from receipt of the source message plus its delay; later is never sent.",
    )
    confirm_after: Length = Field(
        Duration("60s"), description="Accepted, and no failure event for so long, means delivered."
    )
    resolve_within: Length = Field(
        Duration("30s"), description="How long an unknown outcome waits for its echo."
    )
    on_unknown_send: Literal["retry", "hold", "retry_blind"] = Field(
        "retry",
        description="A send with neither echo nor log entry: retry (once its absence is proven), hold (an "
        "operator decides) or retry_blind (it may go out twice).",
    )
    on_unknown_forward: Literal["retry", "hold", "retry_blind"] = Field(
        "hold", description="The same for a forward."
    )
    log_calls_per_minute: Annotated[int, Field(ge=1, le=200)] = Field(
        60, description="How often a minute the platform's log is asked about unknown outcomes."
    )
    repair_calls_per_minute: Annotated[int, Field(ge=1, le=240)] = Field(
        240,
        description="The same to fetch what was said while nobody listened; all calls share 500 a minute.",
    )
    forward_batch: Annotated[int, Field(ge=1)] = Field(20, description="The most targets of one forwardMsg.")
    send_batch: Annotated[int, Field(ge=1, le=5)] = Field(
        1,
        description="The most messages of one sendMessage; above 1 their order is not promised.",
    )


class PluginDefaults(Table):
    """What holds for every plugin."""

    folder: Annotated[str, AfterValidator(_present)] = Field(
        "plugins", description="The folder of drop-in plugins."
    )
    order: PluginNames = Field(
        ("group_mirror", "keyword_reply"),
        description="Plugins run in this order; those not named here follow by name.",
    )
    disabled: PluginNames = Field((), description="Plugins that do not run.")
    timeout: Length = Field(
        Duration("5s"),
        description="The limit for one handler and one message; [plugins.NAME] timeout overrides it.",
    )
    memory_limit: Annotated[Size, AfterValidator(_enough)] = Field(
        Size("1GB"),
        description="The most memory for the router with all plugins (Linux); 0B: no limit.",
    )


TABLES: dict[str, type[Table]] = {
    "bot": Bot,
    "platform": Platform,
    "server": Server,
    "console": Console,
    "storage": Storage,
    "delivery": Delivery,
    "plugins": PluginDefaults,
}
"""Every table that has fixed keys, in the order of the file; [chats] has none."""

REQUIRED = frozenset(
    f"{table}.{name}"
    for table, model in TABLES.items()
    for name, field in model.model_fields.items()
    if field.is_required()
)
"""The keys that every bot.toml has to have; a variable that is filled in there must not be empty."""

NOT_YET: dict[str, Text] = {}
"""Keys of the contract that this version cannot honour, or not with every value, and what it says to them."""

HINTS = {
    "delivery.per_minute": texts.PER_MINUTE_REASON,
    "delivery.send_batch": texts.SEND_BATCH_REASON,
}
"""Reasons behind limits that are not ours."""


class Setting(NamedTuple):
    """One row of the settings table; `default` is written as in bot.toml, None where the key is required."""

    path: str
    default: str | None
    sentence: str


def settings_table() -> tuple[Setting, ...]:
    """Every key with a fixed name, in the order of the file."""
    return tuple(
        Setting(f"{table}.{name}", _default(field), field.description or "")
        for table, model in TABLES.items()
        for name, field in model.model_fields.items()
    )


def _default(field: FieldInfo) -> str | None:
    return None if field.is_required() else written(field.default)
