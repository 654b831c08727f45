"""What a plugin's settings allow but advise against."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from relay import Text
from relay.config import load, validate_settings, warnings_of
from relay.roles import Loading, load_plugins
from relay.testing import SECRETS

SLOW = Text("太慢", "is slow", "slow")


class Rule(BaseModel):
    words: list[str] = Field([], alias="contains")
    wait: int = 0

    def warnings(self) -> Iterator[tuple[str, Text | str]]:
        if not self.words:
            yield "", "matches everything"
        if self.wait > 9:
            yield "wait", SLOW


class Settings(BaseModel):
    rules: tuple[Rule, ...] = ()
    named: dict[str, Rule] = {}
    warnings: list[str] = []


def told(**raw: object) -> list[str]:
    settings = validate_settings(Settings, raw, "plugins.greeter")
    return [problem.told("zh") for problem in warnings_of(settings, raw, "plugins.greeter")]


def test_a_model_warns_of_its_table_and_its_keys_wherever_it_stands() -> None:
    assert told(rules=[{"contains": ["x"]}, {"wait": 10}], named={"x y": {}}) == [
        "plugins.greeter.rules[1]：matches everything",
        "plugins.greeter.rules[1].wait = 10：太慢",
        'plugins.greeter.named."x y"：matches everything',
    ]


def test_a_setting_may_be_called_warnings() -> None:
    assert told(warnings=["x"]) == []


def loaded(folder: Path, toml: str, plugin: str = "") -> Loading:
    base = (
        '[platform]\napp_id = "a"\napp_secret = "sesame-open"\n'
        'encoding_aes_key = "0123456789abcdef0123456789abcdef"\n'
        '[server]\ncallback_path = "/callback/0123456789abcdef"\n[console]\npassword = "correct horse"\n'
    )
    (folder / "bot.toml").write_text(base + toml, "utf-8")
    if plugin:
        (folder / "plugins").mkdir()
        (folder / "plugins" / "greeter.py").write_text(plugin, "utf-8")
    return load_plugins(load(folder / "bot.toml", SECRETS))


def test_a_rule_without_a_matcher_gives_a_warning(tmp_path: Path) -> None:
    rule = '[[plugins.keyword_reply.rules]]\nname = "all"\nreply = "您好"\n'
    (warning,) = loaded(tmp_path, rule).warnings
    assert warning.path == "plugins.keyword_reply.rules[0]"
    assert warning.told("zh").endswith("每条消息都会命中")
    assert str(warning).endswith("it matches every message")


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('order = ["keyword_repyl"]', 'plugins.order[0] = "keyword_repyl"：没有这个插件（是不是想写 `keyword_reply`？）'),
        ('order = ["zzz"]', 'plugins.order[0] = "zzz"：没有这个插件（把 zzz.py 放进 plugins/，或从这里删掉它）'),
        ("[plugins.keyword_repyl]", "plugins.keyword_repyl：没有这个插件（是不是想写 `keyword_reply`？）"),
        ("[plugins.zzz]", "plugins.zzz：没有这个插件（把 zzz.py 放进 plugins/，或删掉这个表）"),
        ('order = ["group_mirror"]\n[plugins.keyword_reply]', "plugins.keyword_reply：这个插件没有运行（在 plugins.order 里加上 keyword_reply）"),
    ],
)  # fmt: skip
def test_a_plugin_that_is_not_there_is_told(tmp_path: Path, toml: str, problem: str) -> None:
    assert [each.told("zh") for each in loaded(tmp_path, f"[plugins]\n{toml}").problems] == [problem]


def test_a_disabled_plugin_that_is_not_there_gives_a_warning(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path, '[plugins]\ndisabled = ["keyword_repyl"]').warnings
    assert str(warning).startswith('plugins.disabled[0] = "keyword_repyl": there is no such plugin')


@pytest.mark.parametrize("broken", ["def warnings(self): 1 / 0", "def model_post_init(self, _): 1 / 0"])
def test_a_plugin_whose_settings_raise_is_told_with_file_and_line(tmp_path: Path, broken: str) -> None:
    plugin = f"""
from pydantic import BaseModel
from relay import Plugin
class Settings(BaseModel):
    {broken}
plugin = Plugin("greeter", settings=Settings)
"""
    ((_, error),) = loaded(tmp_path, "", plugin).failed
    assert (error.line, error.message) == (5, "ZeroDivisionError: division by zero")
