"""What people copy from the READMEs works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bots import ANN, EAST, deliveries, make_bot, rule, said
from docs.readme import BOTH, ENGLISH, PAGES, RECIPES, Readme

from relay.config import load
from relay.roles import load_plugins
from relay.testing import BASE

ENVIRONMENT = {
    "RELAY_APP_ID": "app",
    "RELAY_APP_SECRET": "secret",
    "RELAY_AES_KEY": "k" * 32,
    "RELAY_CALLBACK_SECRET": "0123456789abcdef",
    "RELAY_CONSOLE_PASSWORD": "correct horse",
}
PYTHON = [(readme, code) for readme in BOTH for code in readme.written_in("python")]
TOML = [(page, code) for page in PAGES for code in page.written_in("toml")]


def name_of(case: object) -> str:
    return case.name if isinstance(case, Readme) else ""


@pytest.mark.parametrize(("readme", "code"), TOML, ids=name_of)
def test_a_configuration_has_no_problem_and_no_warning(tmp_path: Path, readme: Readme, code: str) -> None:
    if readme in RECIPES and "[chats]" not in code:
        code = readme.written_in("toml")[0] + code
    whole = code if "[platform]" in code else BASE % "" + code
    (tmp_path / "bot.toml").write_text(whole, "utf-8")
    config = load(tmp_path / "bot.toml", ENVIRONMENT)
    loading = load_plugins(config)
    assert (config.warnings, loading.problems, loading.failed) == ((), [], [])


@pytest.mark.parametrize(("readme", "code"), PYTHON, ids=name_of)
@rule
async def test_a_plugin_runs_and_answers(tmp_path: Path, readme: Readme, code: str) -> None:
    (name,) = re.findall(r'Plugin\("(\w+)"', code)
    assert f"`plugins/{name}.py`" in readme.text
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / f"{name}.py").write_text(code, "utf-8")
    async with make_bot(folder=tmp_path) as bot:
        await bot.work()
        bot.simulator.say(EAST, ANN, "hello")
        bot.simulator.say(EAST, ANN, "#id")
        await bot.work()
        assert said(bot, EAST) == ["hello", "#id", f"{EAST} (room)"]
        assert [row["plugin"] for row in await deliveries(bot)] == [name]


def test_the_first_plugin_has_fewer_than_25_lines() -> None:
    assert len(ENGLISH.written_in("python")[0].splitlines()) < 25
