"""Every kind of mistake, and the very words that tell of it."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

from pathlib import Path

import pytest
from config.conftest import Read, Told

from relay.config import load
from relay.errors import ConfigurationError

DURATIONS = 'write "500ms", "5s", "10m", "2h" or "30d"'
NETWORKS = 'write "203.0.113.7" or "203.0.113.0/24", with nothing set beyond the network\'s own bits'
FILES = 'write "sqlite:///relay.db" (beside bot.toml) or "sqlite:////var/lib/relay/relay.db"'
PATHS = 'write "/callback/${RELAY_CALLBACK_SECRET}"'
URLS = 'write "https://oapi-yzj.miaokol.com", or "http://<bound domain>/oapi"; default: "https://oapi-yzj.miaokol.com"'

WRONG = [
    # wrong types
    ("server", 'port = "8080"', 'server.port = "8080": expected a whole number, found text (default: 8080)'),
    ("server", "port = true", "server.port = true: expected a whole number, found true or false (default: 8080)"),
    ("server", "allow_plaintext = 1", "server.allow_plaintext = 1: expected true or false, found a whole number (default: false)"),
    ("delivery", "max_attempts = 1.5", "delivery.max_attempts = 1.5: expected a whole number, found a decimal number (default: 8)"),
    ("platform", 'accounts = "1688"', 'platform.accounts = "1688": expected a list, found text (default: [])'),
    ("platform", 'accounts = ["a", 7]', "platform.accounts[1] = 7: expected text, found a whole number"),
    ("delivery", "min_interval = 5", f'delivery.min_interval = 5: expected a duration, found a whole number ({DURATIONS}; default: "0s")'),
    # unknown keys
    ("server", "prot = 1", "server.prot = 1: is not a known key (did you mean `port`?)"),
    ("server", "per_minute = 1", "server.per_minute = 1: is not a known key (it belongs in [delivery])"),
    ("bot", "zzz = 1", "bot.zzz = 1: is not a known key (known here: timezone, language)"),
    ("consol", "port = 1", "consol: is not a known table (did you mean `console`?)"),
    ("plugins", "ordr = []", "plugins.ordr = []: is not a known key (did you mean `order`?)"),
    # ranges
    ("server", "port = 65536", "server.port = 65536: must be at most 65535 (default: 8080)"),
    ("server", "port = -1", "server.port = -1: must be at least 0 (default: 8080)"),
    ("delivery", "per_minute = 501", "delivery.per_minute = 501: must be at most 500 (the platform refuses more than 500 a minute; default: 450)"),
    ("delivery", "per_minute = 0", "delivery.per_minute = 0: must be at least 1 (the platform refuses more than 500 a minute; default: 450)"),
    ("delivery", "jitter = 1.1", "delivery.jitter = 1.1: must be at most 1.0 (default: 0.0)"),
    ("delivery", "jitter = nan", "delivery.jitter = nan: must be a finite number (default: 0.0)"),
    ("delivery", "max_attempts = 0", "delivery.max_attempts = 0: must be at least 1 (default: 8)"),
    ("delivery", "forward_batch = 0", "delivery.forward_batch = 0: must be at least 1 (default: 20)"),
    ("delivery", "send_batch = 6", "delivery.send_batch = 6: must be at most 5 (the platform takes 1 to 5 messages in one sendMessage; default: 1)"),
    ("delivery", 'expire_after = "0s"', 'delivery.expire_after = "0s": must be more than 0s (default: "30m")'),
    ("plugins", 'memory_limit = "64MB"', 'plugins.memory_limit = "64MB": must be at least 256MB, or "0B" for no limit (default: "1GB")'),
    # values
    ("bot", 'language = "fr"', 'bot.language = "fr": must be "zh" or "en" (default: "zh")'),
    ("bot", 'timezone = "Asia/Shangai"', 'bot.timezone = "Asia/Shangai": is not a time zone (did you mean `Asia/Shanghai`? default: "Asia/Shanghai")'),
    ("bot", 'timezone = "../etc"', 'bot.timezone = "../etc": is not a time zone (write an IANA name such as "Asia/Shanghai"; default: "Asia/Shanghai")'),
    ("delivery", 'min_interval = "5 s"', f'delivery.min_interval = "5 s": is not a duration ({DURATIONS}; default: "0s")'),
    ("delivery", 'min_interval = "9999d"', 'delivery.min_interval = "9999d": must be at most 3650d (default: "0s")'),
    ("server", 'max_body = "8 MB"', 'server.max_body = "8 MB": is not a size (write "64KB", "8MB" or "1GB"; default: "8MB")'),
    ("server", 'host = "a b"', 'server.host = "a b": is not an address or a host name (write "127.0.0.1", or "0.0.0.0" for every interface; default: "127.0.0.1")'),
    ("server", 'trusted_proxies = ["10.0.0.1/8"]', f'server.trusted_proxies[0] = "10.0.0.1/8": is not an address or a network ({NETWORKS})'),
    ("platform", 'base_url = "ftp://host"', f'platform.base_url = "ftp://host": is not an http or https address ({URLS})'),
    ("platform", 'base_url = "https://u:p@host"', f'platform.base_url = "https://u:***@host": is not an http or https address ({URLS})'),
    ("storage", 'url = "relay.db"', f'storage.url = "relay.db": is not the address of a database file ({FILES}; default: "sqlite:///relay.db")'),
    ("storage", 'url = "sqlite:///:memory:"', f'storage.url = "sqlite:///:memory:": is not the address of a database file ({FILES}; default: "sqlite:///relay.db")'),
    ("plugins", 'order = ["a", "a"]', 'plugins.order = ["a", "a"]: names a twice (name each plugin once; default: ["group_mirror", "keyword_reply"])'),
    ('plugins.greeter', 'timeout = "soon"', f'plugins.greeter.timeout = "soon": is not a duration ({DURATIONS})'),
    # impossible pairs
    ("server", "port = 8081", "console.port = 8081: is the same as server.port (the two doors need a port each; default: 8081)"),
    ("console", 'metrics_token = "correct horse"', "console.metrics_token = ***: is the same as console.password (make up another token: whoever reads the metrics should not be able to log in)"),
    ("delivery", 'resolve_within = "30m"', 'delivery.resolve_within = "30m": must be shorter than delivery.expire_after (else a delivery expires before its outcome is known; default: "30s")'),
    ("delivery", 'min_interval = "1h"', 'delivery.min_interval = "1h": must be shorter than delivery.expire_after (else every second message expires while it waits; default: "0s")'),
    ("storage", 'remember = "30m"', 'storage.remember = "30m": must be longer than delivery.expire_after (else a message is forgotten while it may still be sent; default: "180d")'),
    ("storage", 'remember = "29d"', 'storage.remember = "29d": must not be shorter than storage.retain (else the id of a message is forgotten before the message is removed; default: "180d")'),
    ("storage", 'retain = "23h"', 'storage.retain = "23h": must be at least 1d (what we sent may come back as an echo for a day; default: "30d")'),
    # not in this version
    ("storage", 'url = "postgresql://bot:p@ss@host/db"', 'storage.url = "postgresql://bot:***@host/db": PostgreSQL is not available in this version (write "sqlite:///relay.db"; default: "sqlite:///relay.db")'),
    ("server", 'trusted_proxies = ["platform"]', 'server.trusted_proxies[0] = "platform": is not an address or a network (write "203.0.113.7" or "203.0.113.0/24", with nothing set beyond the network\'s own bits)'),
]  # fmt: skip


@pytest.mark.parametrize(("table", "line", "complaint"), WRONG)
def test_a_mistake_is_told_in_these_words(told: Told, table: str, line: str, complaint: str) -> None:
    assert told(**{table: line}) == [complaint]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("callback/0123456789abcdef", f"must begin with / ({PATHS})"),
        ("/", f"is taken: /, /healthz and /readyz have their own answers ({PATHS})"),
        ("/healthz", f"is taken: /, /healthz and /readyz have their own answers ({PATHS})"),
        ("/readyz/", f"is taken: /, /healthz and /readyz have their own answers ({PATHS})"),
        ("/callback/", f"must not end in / ({PATHS})"),
        ("/a?b", f"may only have letters, digits and / . _ ~ - in it ({PATHS})"),
    ],
)
def test_an_unfit_callback_path_is_refused(told: Told, path: str, complaint: str) -> None:
    assert told(server=f'callback_path = "{path}"') == [f"server.callback_path = ***: {complaint}"]


@pytest.mark.parametrize("key", ["short", "价" * 32, "!" * 43])
def test_an_unfit_key_is_refused_and_not_shown(told: Told, key: str) -> None:
    (line,) = told(platform=f'encoding_aes_key = "{key}"')
    assert line.startswith("platform.encoding_aes_key = ***: the key ")
    assert key not in line


def test_what_is_required_is_asked_for_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "bot.toml", {})
    assert str(caught.value).split("\n") == [
        'platform.app_id: is required (add app_id = "${RELAY_APP_ID}")',
        'platform.app_secret: is required (add app_secret = "${RELAY_APP_SECRET}")',
        'platform.encoding_aes_key: is required (add encoding_aes_key = "${RELAY_AES_KEY}")',
        'server.callback_path: is required (add callback_path = "/callback/${RELAY_CALLBACK_SECRET}")',
        "console.password: is required while the console is enabled "
        '(add password = "${RELAY_CONSOLE_PASSWORD}", or write enabled = false)',
    ]


def test_an_empty_secret_is_as_good_as_none(told: Told) -> None:
    assert told(platform='app_secret = " "') == [
        "platform.app_secret = ***: must not be empty (fill it in here, or its variable in .env)"
    ]


def test_a_disabled_console_needs_no_password_and_no_port_of_its_own(read: Read) -> None:
    assert not read(console='password = ""\nenabled = false\nport = 8080').console.enabled


def test_a_table_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text("platform = 3\nbot = []\nchats = 1\nplugins = true\n")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "bot.toml", {})
    lines = str(caught.value).split("\n")
    assert "platform = 3: expected a table, found a whole number" in lines
    assert "bot = []: expected a table, found a list" in lines
    assert "plugins = true: expected a table, found true or false" in lines
    assert "chats = 1: expected a table, found a whole number" in lines
    assert not any(line.startswith("platform.") for line in lines)


def test_a_key_at_the_top_is_sent_to_its_table(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text("per_minute = 3\n")
    with pytest.raises(
        ConfigurationError, match=r"per_minute: is not a known key \(it belongs in \[delivery\]\)"
    ):
        load(tmp_path / "bot.toml", {})


def test_all_problems_are_told_in_one_go(told: Told) -> None:
    """Every mistake of the table above at once, as far as they can stand in one file."""
    lines: dict[str, str] = {}
    expected = set()
    for table, line, complaint in WRONG:
        known = {text.split(" ")[0] for text in lines.get(table, "").split("\n")}
        if (
            line.split(" ")[0] not in known
            and "than delivery.expire_after" not in complaint
            and "than storage.retain" not in complaint
            and "same as" not in complaint
        ):
            lines[table] = lines.get(table, "") + line + "\n"
            expected.add(complaint)
    assert set(told(**lines)) == expected


@pytest.mark.parametrize(
    ("table", "line", "complaint"),
    [
        ("platform", 'base_url = "http://127.0.0.1:9/oapi"', 'platform.base_url = "http://127.0.0.1:9/oapi": app_secret and messages travel unencrypted (use https where the platform offers it)'),
        ("server", 'callback_path = "/callback"', "server.callback_path = ***: is short enough to be guessed (put 16 random characters or more into it)"),
        ("server", 'allow_plaintext = true\nhost = "0.0.0.0"', "server.allow_plaintext = true: whoever learns the callback path can invent messages (list the platform's addresses in allowed_ips)"),
        ("console", 'password = "1234567"', "console.password = ***: is short enough to be guessed (use 8 characters or more)"),
    ],
)  # fmt: skip
def test_what_is_unwise_gives_a_warning(read: Read, table: str, line: str, complaint: str) -> None:
    assert [str(warning) for warning in read(**{table: line}).warnings] == [complaint]


def test_a_sound_file_gives_no_warning(read: Read) -> None:
    assert read().warnings == ()


@pytest.mark.parametrize(
    ("server", "console", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("10.0.0.1", "127.0.0.1", False),
    ],
)
def test_two_doors_on_one_port_clash_where_their_hosts_overlap(
    read: Read, server: str, console: str, clash: bool
) -> None:
    tables = {"server": f'host = "{server}"\nport = 9000', "console": f'host = "{console}"\nport = 9000'}
    if not clash:
        assert read(**tables).server.port == 9000
        return
    with pytest.raises(ConfigurationError, match=r"is the same as server\.port"):
        read(**tables)


def test_two_doors_may_both_take_any_free_port(read: Read) -> None:
    assert read(server="port = 0", console="port = 0").console.port == 0
