"""A plugin's own settings are checked as strictly as the bot's, whatever its author forgot."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

from typing import Literal

import pytest
from config.conftest import Read
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from relay.config import ChatList, Chats, Duration, Size, validate_settings
from relay.errors import ConfigurationError

CHATS = Chats({"east": ("R:1",), "sales": ("R:1", "R:2")})


class Picture(BaseModel):
    type: Literal["picture"]
    url: str


class Rule(BaseModel):
    name: str
    contains: list[str] = []
    chats: ChatList = ()
    source: ChatList = Field((), alias="from")
    reply: str | list[str | Picture] = ""
    cooldown: Duration = Duration("0s")


class Limits(BaseModel):
    most: int = 0


class Settings(BaseModel):
    model_config = ConfigDict(extra="allow")

    rules: tuple[Rule, ...] = ()
    named: dict[str, Rule] = {}
    retries: int | None = None
    limits: Limits = Limits()
    pin: SecretStr = SecretStr("")
    limit: Size = Size("1MB")

    @field_validator("pin")
    @classmethod
    def _long(cls, pin: SecretStr) -> SecretStr:
        if len(pin.get_secret_value()) < 8:
            raise ValueError(f"{pin.get_secret_value()} is too short")
        return pin


def settings(**raw: object) -> Settings:
    read = validate_settings(Settings, raw, "plugins.greeter", CHATS)
    assert isinstance(read, Settings)
    return read


def told(**raw: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        settings(**raw)
    return str(caught.value).split("\n")


def test_names_of_chats_become_wxids() -> None:
    rule = settings(rules=[{"name": "a", "chats": ["sales", "R:3", "R:1"], "from": "east"}]).rules[0]
    assert (rule.chats, rule.source) == (("R:1", "R:2", "R:3"), ("R:1",))


def test_durations_and_sizes_can_be_used_by_plugins() -> None:
    read = settings(rules=[{"name": "a", "cooldown": "5s"}], limit="2KB")
    assert (read.rules[0].cooldown, read.limit) == (5_000, 2_048)


def test_a_settings_model_without_settings_is_fine() -> None:
    assert settings() == Settings()


@pytest.mark.parametrize(
    ("raw", "complaints"),
    [
        ({"retrys": 1}, ["plugins.greeter.retrys = 1: is not a known key (did you mean `retries`?)"]),
        ({"rules": [{"name": "a"}, {"name": "b", "containz": []}]}, ["plugins.greeter.rules[1].containz = []: is not a known key (did you mean `contains`?)"]),
        ({"named": {"x y": {"name": "b", "form": []}}}, ['plugins.greeter.named."x y".form = []: is not a known key (did you mean `from`?)']),
        ({"rules": [{}]}, ["plugins.greeter.rules[0].name: is required"]),
        ({"rules": [{"name": "a", "contains": "价格"}]}, ['plugins.greeter.rules[0].contains = "价格": expected a list, found text (default: [])']),
        ({"rules": [{"name": "a", "contains": ["x", 7]}]}, ["plugins.greeter.rules[0].contains[1] = 7: expected text, found a whole number"]),
        ({"rules": [{"name": "a", "chats": ["R:1", "eest"]}]}, ['plugins.greeter.rules[0].chats[1] = "eest": `eest` is not in [chats] (did you mean `east`?)']),
        ({"rules": [{"name": "a", "from": 7}]}, ["plugins.greeter.rules[0].from = 7: expected a chat or a list of chats, found a whole number (default: [])"]),
        ({"rules": [{"name": "a", "reply": 7}]}, ['plugins.greeter.rules[0].reply = 7: expected text or a list, found a whole number (default: "")']),
        ({"rules": [{"name": "a", "reply": [{"type": "picture", "ulr": "x"}]}]}, ["plugins.greeter.rules[0].reply[0].url: is required", 'plugins.greeter.rules[0].reply[0].ulr = "x": is not a known key (did you mean `url`?)']),
        ({"retries": "5"}, ['plugins.greeter.retries = "5": expected a whole number, found text']),
        ({"rules": 3}, ["plugins.greeter.rules = 3: expected a list, found a whole number (default: [])"]),
        ({"pin": "1234"}, ['plugins.greeter.pin = ***: *** is too short (default: "")']),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plugins_settings_is_told_in_these_words(
    raw: dict[str, object], complaints: list[str]
) -> None:
    assert told(**raw) == complaints


def test_texts_from_the_environment_are_turned_into_the_settings_types(read: Read) -> None:
    table = read({"N": "5"}, **{"plugins.greeter": 'retries = "${N}"'}).plugins.settings["greeter"]
    assert settings(**table).retries == 5


def test_an_authors_own_words_do_not_give_a_secret_away(read: Read) -> None:
    table = read({"PIN": "s3cret"}, **{"plugins.greeter": 'pin = "${PIN}"'}).plugins.settings["greeter"]
    assert told(**table) == ['plugins.greeter.pin = ***: *** is too short (default: "")']


def test_a_table_keeps_what_was_written_after_it_was_validated(read: Read) -> None:
    table = read({"N": "5"}, **{"plugins.greeter.limits": 'most = "${N}"'}).plugins.settings["greeter"]
    assert settings(**table).limits.most == 5
    assert table == {"limits": {"most": "5"}}
