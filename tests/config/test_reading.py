"""What a file says is what the bot gets."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from config.conftest import Read, Told, written
from pydantic import ValidationError

from relay.config import Config, load, read_files, settings_table
from relay.errors import ConfigurationError


def test_what_is_not_written_has_its_default(read: Read) -> None:
    config = read()
    assert (config.server.port, config.console.port, config.delivery.per_minute) == (8080, 8081, 450)
    assert (config.storage.remember.written, config.server.max_body) == ("180d", 8 * 1024 * 1024)


def test_a_table_that_is_not_written_has_its_defaults(read: Read) -> None:
    config = read()
    assert (config.bot.timezone, config.bot.language) == ("Asia/Shanghai", "zh")
    assert config.bot.zone.key == "Asia/Shanghai"


def test_relative_paths_start_at_the_files_folder(read: Read, tmp_path: Path) -> None:
    config = read()
    assert config.folder == tmp_path
    assert config.plugins.folder == tmp_path / "plugins"
    assert config.database == tmp_path / "relay.db"


def test_absolute_paths_stay_absolute(read: Read) -> None:
    config = read(storage='url = "sqlite:////var/lib/relay.db"', plugins='folder = "/srv/plugins"')
    assert (config.database, config.plugins.folder) == (Path("/var/lib/relay.db"), Path("/srv/plugins"))


def test_a_windows_editors_mark_and_line_ends_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_bytes(b"\xef\xbb\xbf" + written({}).replace("\n", "\r\n").encode())
    assert load(path, {}).platform.app_id == "app"


def test_a_trailing_slash_of_base_url_is_dropped(read: Read) -> None:
    assert (
        read(platform='base_url = "https://example.com/oapi/"').platform.base_url
        == "https://example.com/oapi"
    )


def test_the_callback_key_is_ready_for_use(read: Read) -> None:
    assert read().platform.callback_key == b"0123456789abcdef0123456789abcdef"


def test_addresses_and_networks_are_understood(read: Read) -> None:
    allowed = read(server='allowed_ips = ["203.0.113.7", "2001:db8::/32"]').server.allowed_ips
    assert [str(network) for network in allowed] == ["203.0.113.7/32", "2001:db8::/32"]


def test_a_plugins_table_is_handed_over_as_written_without_its_timeout(read: Read) -> None:
    plugins = read(**{"plugins.greeter": 'timeout = "2s"\ngreeting = "hi"'}).plugins
    assert plugins.settings == {"greeter": {"greeting": "hi"}}
    assert (plugins.timeout_of("greeter"), plugins.timeout_of("other")) == (2_000, 5_000)


def test_a_configuration_is_frozen(read: Read) -> None:
    config = read()
    with pytest.raises(ValidationError):
        config.server.port = 1  # type: ignore[misc]  # the very thing that must not work
    with pytest.raises(AttributeError):
        config.path = Path()  # type: ignore[misc]  # the very thing that must not work


def test_a_configuration_can_be_handed_to_another_process(read: Read) -> None:
    config = read({"WORD": "hi"}, **{"plugins.greeter": 'greeting = "${WORD}"'})
    copied: Config = pickle.loads(pickle.dumps(config))
    assert copied == config
    assert copied.storage.remember.written == "180d"


def test_a_missing_file_is_told_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "none.toml", {})
    hint = "`relay init FOLDER` makes a new bot, `--config PATH` names another file"
    assert str(caught.value) == f"{tmp_path / 'none.toml'}: there is no such file ({hint})"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder, not a file"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[bot]\nlanguage = zh\n", "bot.toml: line 2, column 12: a value should stand here"),
        ("[bot]\n[bot]\n", "bot.toml: line 2, column 5: bot is here a second time (line 1 has it"),
        ("[bot", "bot.toml: line 1, column 5: there is no ] after the table's name"),
        ("a = " + "[" * 9_000, "bot.toml: is nested too deeply"),
    ],
)
def test_what_is_not_toml_is_told_with_line_and_column(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bot.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "bot.toml", {})
    assert str(caught.value).startswith(complaint)


def test_what_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_bytes("[bot]\n# 价格".encode("gbk"))
    with pytest.raises(ConfigurationError, match=r"line 2 is not UTF-8 \(byte 8\) \(it looks like GBK"):
        load(tmp_path / "bot.toml", {})


def test_every_setting_has_a_sentence() -> None:
    assert all(setting.sentence.endswith(".") for setting in settings_table())


def test_every_default_in_the_settings_table_can_be_written_out(read: Read) -> None:
    """What the table shows is TOML, and means what leaving the key out means."""
    tables: dict[str, str] = {}
    for path, default, _ in settings_table():
        table, _, key = path.partition(".")
        if default is not None and path != "console.password":
            tables[table] = tables.get(table, "") + f"\n{key} = {default}"
    spelt, silent = read(**tables), read()
    assert spelt == silent


def test_a_wrong_key_does_not_hide_a_wrong_pair(told: Told) -> None:
    lines = told(server="port = 8081\nmax_body = 3", console="metrics_token = 4")
    assert [line.split(" ")[0].rstrip(":") for line in lines] == [
        "server.max_body",
        "console.metrics_token",
        "console.port",
    ]


def test_a_wrong_key_is_not_taken_for_its_default_in_a_pair(told: Told) -> None:
    """The wrong server.port has no value, so it is not the 8080 that console.port has."""
    (line,) = told(server='port = "x"', console="port = 8080")
    assert line.startswith("server.port")


def test_a_configuration_can_be_read_again_as_it_was_whatever_became_of_the_files(tmp_path: Path) -> None:
    path, dotenv = tmp_path / "bot.toml", tmp_path / ".env"
    path.write_text(written({"server": 'port = "${PORT}"'}), "utf-8")
    dotenv.write_text("PORT=9000\n", "utf-8")
    files = read_files(path)
    path.write_text("broken", "utf-8")
    dotenv.unlink()
    assert load(path, {}, files).server.port == 9000
