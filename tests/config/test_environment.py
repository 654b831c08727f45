"""`${NAME}`, `.env`, and the secrecy of what comes from there."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

from pathlib import Path

import pytest
from config.conftest import Read, Told, written
from hypothesis import given
from hypothesis import strategies as st

from relay.config import load
from relay.config.problems import Substituted
from relay.config.sources import Substitution
from relay.errors import ConfigurationError


def fill(text: str, **environment: str) -> object:
    return Substitution(environment).fill(text)


def test_a_variable_is_filled_in_anywhere_in_a_text() -> None:
    assert fill("/callback/${A}/${B}", A="x", B="y") == "/callback/x/y"


@pytest.mark.parametrize(("environment", "value"), [({}, "d"), ({"A": ""}, "d"), ({"A": "x"}, "x")])
def test_a_default_stands_in_for_an_unset_or_empty_variable(environment: dict[str, str], value: str) -> None:
    assert fill("${A:-d}", **environment) == value


def test_a_doubled_dollar_is_a_literal_one() -> None:
    assert fill("$${A} costs $5 and $$", A="x") == "${A} costs $5 and $$"


def test_what_a_variable_holds_is_not_filled_in_again() -> None:
    assert fill("${A}", A="${B}", B="x") == "${B}"


@given(st.text().filter(lambda text: "${" not in text))
def test_text_without_a_reference_stays_as_it_is(text: str) -> None:
    filled = fill(text)
    assert filled == text
    assert not isinstance(filled, Substituted)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_come_from_a_variable(text: str) -> None:
    assert fill("${A}", A=text) == text


def test_texts_are_turned_into_the_keys_type(read: Read) -> None:
    env = {"PORT": "9000", "YES": "True", "HALF": "0.5", "WAIT": "2s", "SIZE": "1MB", "IDS": "a, b,"}
    config = read(
        env,
        server='port = "${PORT}"\nallow_plaintext = "${YES}"\nmax_body = "${SIZE}"',
        delivery='jitter = "${HALF}"\nmin_interval = "${WAIT}"',
        platform='accounts = "${IDS}"',
    )
    assert (config.server.port, config.server.allow_plaintext, config.delivery.jitter) == (9000, True, 0.5)
    assert (config.delivery.min_interval, config.server.max_body) == (2_000, 1024 * 1024)
    assert config.platform.accounts == ("a", "b")


def test_a_list_of_networks_can_come_from_one_variable(read: Read) -> None:
    allowed = read({"IPS": "10.0.0.1,10.1.0.0/16"}, server='allowed_ips = "${IPS}"').server.allowed_ips
    assert [str(network) for network in allowed] == ["10.0.0.1/32", "10.1.0.0/16"]


def test_an_empty_variable_is_an_empty_list(read: Read) -> None:
    assert read({"IPS": ""}, server='allowed_ips = "${IPS}"').server.allowed_ips == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('port = "${V}"', "server.port = ***: expected a whole number, found text (default: 8080)"),
        ('allow_plaintext = "${V}"', "server.allow_plaintext = ***: expected true or false, found text (default: false)"),
        ('prot = "${V}"', "server.prot = ***: is not a known key (did you mean `port`?)"),
        ('trusted_proxies = ["${V}"]', "server.trusted_proxies[0] = ***: is not an address or a network"),
        ('trusted_proxies = "1.2.3.4,${V}"', "server.trusted_proxies[1] = ***: is not an address or a network"),
        ('port = ["${V}"]', "server.port = [***]: expected a whole number, found a list (default: 8080)"),
    ],
)  # fmt: skip
def test_a_value_from_the_environment_is_never_shown(told: Told, line: str, complaint: str) -> None:
    (line,) = told({"V": "s3cret-s3cret"}, server=line)
    assert line.startswith(complaint)
    assert "s3cret" not in line


def test_a_warning_does_not_show_it_either(read: Read) -> None:
    (warning,) = read({"V": "s3cret"}, platform='base_url = "http://${V}.example.com"').warnings
    assert warning.value == "***"


def test_a_misspelt_secret_is_not_shown(told: Told) -> None:
    lines = told(platform='app_secert = "hunter2"', console='pasword = "hunter2"')
    assert len(lines) == 2
    assert "hunter2" not in str(lines)


def test_a_secret_of_the_wrong_type_is_not_shown(told: Told) -> None:
    assert told(console="password = 12345678") == [
        'console.password = ***: expected text, found a whole number (default: "")'
    ]


def test_every_unset_variable_is_named(told: Told) -> None:
    assert told(platform='app_secret = "${A}"\naccounts = ["${B}"]', console='password = "${C:-ok-ok-ok}${D}"') == [
        "platform.app_secret: the environment variable A is not set (put A=… into .env beside bot.toml, or write ${A:-default} here)",
        "platform.accounts[0]: the environment variable B is not set (put B=… into .env beside bot.toml, or write ${B:-default} here)",
        "console.password: the environment variable D is not set (put D=… into .env beside bot.toml, or write ${D:-default} here)",
    ]  # fmt: skip


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_in_a_required_key_is_named(told: Told, empty: str) -> None:
    env = {"A": empty, "C": empty}
    assert told(env, platform='app_secret = "${A}"', server='callback_path = "/callback/${C}"') == [
        "platform.app_secret: the environment variable A is set but empty (give A a value, in .env or in the environment)",
        "server.callback_path: the environment variable C is set but empty (give C a value, in .env or in the environment)",
    ]  # fmt: skip


def test_an_empty_variable_is_no_mistake_elsewhere_or_with_a_default(read: Read) -> None:
    config = read({"A": ""}, console='metrics_token = "${A}"', server='callback_path = "/callback${A:-}"')
    assert config.server.callback_path.get_secret_value() == "/callback"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${", "has a `${` without its `}`"),
        ("${A", "has a `${` without its `}`"),
        ("${}", "has a `${` that names no variable"),
        ("${1A}", "has a `${` that names no variable"),
        ("${A-b}", "has a `${` that names no variable"),
    ],
)
def test_a_broken_reference_is_told(told: Told, text: str, message: str) -> None:
    hint = "write ${NAME} or ${NAME:-default}; $${ is a literal ${"
    assert told({"A": "x"}, server=f'host = "{text}"') == [f"server.host: {message} ({hint})"]


def test_a_variable_that_is_not_utf8_is_told(told: Told) -> None:
    bad = b"\xff".decode("utf-8", "surrogateescape")
    assert told({"A": bad}, server='host = "${A}"') == [
        "server.host: the environment variable A is not UTF-8"
    ]


def test_dollars_are_text_in_chats_rules_and_routes(read: Read) -> None:
    plugins = {
        "plugins.keyword_reply": 'rules = [{reply = "costs ${NOPE}"}]',
        "plugins.group_mirror": 'routes = [{attribution = "${NOPE}"}]',
    }
    config = read(chats='"${X}" = "R:1"\ny = ["R:${X}", "${X}"]', **plugins)
    assert config.chats.resolve("y") == ("R:${X}", "R:1")
    assert config.plugins.settings["keyword_reply"] == {"rules": [{"reply": "costs ${NOPE}"}]}
    assert config.plugins.settings["group_mirror"] == {"routes": [{"attribution": "${NOPE}"}]}


def test_other_plugin_settings_are_filled_in(read: Read) -> None:
    config = read({"KEY": "s3cret-s3cret"}, **{"plugins.greeter": 'deep = {key = "${KEY}"}'})
    assert config.plugins.settings["greeter"] == {"deep": {"key": "s3cret-s3cret"}}


def test_a_dotenv_beside_the_file_is_read_and_the_real_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nexport A='one $HOME ${B}'\nB=two\n")
    (tmp_path / "bot.toml").write_text(written({"platform": 'app_id = "${A}|${B}"'}))
    assert load(tmp_path / "bot.toml", {"B": "real"}).platform.app_id == "one $HOME ${B}|real"


def test_without_a_given_environment_the_process_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_TEST_ID", "from here")
    (tmp_path / "bot.toml").write_text(written({"platform": 'app_id = "${RELAY_TEST_ID}"'}))
    assert load(tmp_path / "bot.toml").platform.app_id == "from here"


def test_a_bad_line_in_dotenv_is_told_with_its_number(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB='open\n")
    (tmp_path / "bot.toml").write_text(written({}))
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "bot.toml", {})
    assert str(caught.value) == ".env: line 2 cannot be read (write NAME=value, one on each line)"


def test_secrets_are_the_secret_keys_and_what_plugins_got_from_the_environment(read: Read) -> None:
    config = read(
        {"C": "fedcba9876543210", "V": "s3cret", "PORT": "9000"},
        server='callback_path = "/callback/${C}"\nport = "${PORT}"',
        console='metrics_token = "metrics-only"',
        **{"plugins.greeter": 'word = "${V}"\napi_key = "written out"\nother = "plain"'},
    )
    assert set(config.secrets()) == {
        "sesame-open",
        "0123456789abcdef0123456789abcdef",
        "/callback/fedcba9876543210",
        "fedcba9876543210",
        "correct horse",
        "metrics-only",
        "s3cret",
        "written out",
    }


def test_no_secret_is_in_the_repr_of_a_configuration(read: Read) -> None:
    config = read({"V": "s3cret"}, **{"plugins.greeter": 'word = "${V}"'})
    for secret in config.secrets():
        assert secret not in repr(config)
        assert secret not in str(config)
    assert "s3cret" not in repr(config.plugins.settings)
