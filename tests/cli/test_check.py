"""`relay check`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli.conftest import ACCOUNT, CUSTOMER, EAST, Relay

from relay.testing import SECRETS


def write(folder: Path, plugin: str) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "broken.py").write_text(plugin, "utf-8")


def test_a_good_configuration_is_summed_up(relay: Relay, fresh: Path) -> None:
    ended = relay("check", "--config", str(fresh))
    assert ended.code == 0
    for told in ("✓", "east", "group_mirror  routes: 1", "keyword_reply  rules: 1", "127.0.0.1:8080"):
        assert told in ended.out


def test_it_makes_no_database(relay: Relay, fresh: Path) -> None:
    relay("check", "--config", str(fresh))
    assert not (fresh.parent / "relay.db").exists()


def test_every_problem_has_a_line_of_its_own(relay: Relay, fresh: Path) -> None:
    with fresh.open("a", encoding="utf-8") as file:
        file.write('\n[delivery]\nper_minute = 900\nmax_atempts = 3\n[storage]\nurl = "mysql://x"\n')
    ended = relay("check", "--config", str(fresh), columns=40)
    lines = ended.out.splitlines()
    assert ended.code == 2
    for path in ("delivery.per_minute = 900", "delivery.max_atempts = 3", "storage.url"):
        assert len([line for line in lines if path in line]) == 1
    assert "是不是想写 `max_attempts`？" in ended.out


def test_a_plugin_that_does_not_load_is_told_with_file_and_line(relay: Relay, fresh: Path) -> None:
    write(fresh.parent, "x = 1\nundefined_name\n")
    ended = relay("check", "--config", str(fresh))
    assert ended.code == 2
    assert f"{fresh.parent}/plugins/broken.py:2：NameError" in ended.out


def test_for_programs_a_plugin_that_does_not_load_is_the_problem_with_a_line(
    relay: Relay, fresh: Path
) -> None:
    """The supervisor tells it by that from a problem that stops the start."""
    write(fresh.parent, "x = 1\nundefined_name\n")
    (problem,) = relay("check", "--config", str(fresh), "--json").json()["problems"]
    assert problem["path"].endswith("plugins/broken.py")
    assert problem["line"] == 2
    assert "NameError" in problem["message"]


def test_what_a_plugin_prints_does_not_spoil_the_json(relay: Relay, fresh: Path) -> None:
    write(fresh.parent, "print('hello')\nfrom relay import Plugin\nplugin = Plugin('broken')\n")
    ended = relay("check", "--config", str(fresh), "--json")
    assert ended.json()["ok"] is True
    assert "hello" in ended.err


def test_the_settings_of_a_plugin_are_checked(relay: Relay, fresh: Path) -> None:
    with fresh.open("a", encoding="utf-8") as file:
        file.write('\n[[plugins.keyword_reply.rules]]\nname = "x"\ncontans = ["y"]\nreply = "z"\n')
    ended = relay("check", "--config", str(fresh))
    assert ended.code == 2
    assert "是不是想写 `contains`？" in ended.out


def test_for_programs_problems_and_warnings_have_parts(relay: Relay, fresh: Path) -> None:
    text = fresh.read_text("utf-8").replace("[platform]", '[platform]\nbase_url = "http://a.test"')
    fresh.write_text(text, "utf-8")
    told = relay("check", "--config", str(fresh), "--json").json()
    assert told["ok"] is True
    assert told["problems"] == []
    assert set(told["warnings"][0]) == {
        "path",
        "code",
        "value",
        "message",
        "hint",
        "excerpt",
        "english",
        "line",
    }


def test_a_failure_for_programs_is_an_error_as_well(relay: Relay, tmp_path: Path) -> None:
    told = relay("check", "--config", str(tmp_path / "none.toml"), "--json").json()
    assert told["ok"] is False
    assert told["error"].endswith("1 problem")


def test_a_secret_in_a_plugin_error_is_masked(relay: Relay, fresh: Path) -> None:
    secret = SECRETS["RELAY_APP_SECRET"]
    write(fresh.parent, f"raise ValueError('{secret}')\n")
    for json in ([], ["--json"]):
        told = relay("check", "--config", str(fresh), *json)
        assert secret not in told.out + told.err
        assert "ValueError" in told.out


SHADOWED = """
[[plugins.keyword_reply.rules]]
name = "list"
contains = ["order",
  "price list"]
reply = "z"
"""


def with_warnings(fresh: Path) -> int:
    """Add two rules of which a word never gets its turn; return the line of that word."""
    rules = '\n[[plugins.keyword_reply.rules]]\nname = "p"\ncontains = ["price"]\nreply = "z"\n' + SHADOWED
    with fresh.open("a", encoding="utf-8") as file:
        file.write(rules)
    lines = fresh.read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if "price list" in line)


def test_a_warning_is_told_with_line_path_and_what_to_do(relay: Relay, fresh: Path) -> None:
    line = with_warnings(fresh)
    ended = relay("check", "--config", str(fresh))
    assert ended.code == 0
    assert f"bot.toml:{line} plugins.keyword_reply.rules[" in ended.out
    assert ".contains[1]" in ended.out
    assert "price list" in ended.out


def test_with_strict_a_warning_is_an_error(relay: Relay, fresh: Path) -> None:
    assert relay("check", "--strict", "--config", str(fresh)).code == 0
    line = with_warnings(fresh)
    ended = relay("check", "--strict", "--json", "--config", str(fresh))
    told = ended.json()
    assert (ended.code, told["ok"], told["problems"]) == (2, False, [])
    assert [(each["code"], each["line"]) for each in told["warnings"]] == [("word_shadowed", line)]
    assert told["error"]


def test_a_warning_that_is_meant_so_can_be_allowed_by_its_code(relay: Relay, fresh: Path) -> None:
    with_warnings(fresh)
    allowed = relay("check", "--strict", "--allow", "word_shadowed", "--config", str(fresh))
    assert allowed.code == 0
    assert relay("check", "--strict", "--allow", "shadowed", "--config", str(fresh)).code == 2


@pytest.mark.parametrize(
    ("source", "english", "hint", "chinese"),
    [
        ("def broken(:\n", "SyntaxError: invalid syntax", None, "语法错误"),
        ("import nowhere_at_all\n", "No module named 'nowhere_at_all'", "install it", "装上它"),
        ("from relay import Repply\n", "cannot import name 'Repply'", "did you mean `Reply`?", "是不是想写"),
        ("x = 1\n", "there is no plugin in the file", 'a line `plugin = Plugin("broken")`', "没有 plugin"),
        ("raise SystemExit\n", "SystemExit", "is loaded, not run", "去掉 exit()"),
        (b"x = '\xc4\xe3'\n".decode("latin-1"), "(unicode error)", "as UTF-8", "UTF-8 编码"),
    ],
)
def test_what_to_do_about_a_plugin_is_told_in_both_languages(
    relay: Relay, fresh: Path, source: str, english: str, hint: str | None, chinese: str
) -> None:
    write(fresh.parent, "")
    (fresh.parent / "plugins" / "broken.py").write_bytes(source.encode("latin-1"))
    (problem,) = relay("check", "--config", str(fresh), "--json").json()["problems"]
    assert english in problem["english"]["message"]
    assert (hint or "") in (problem["english"]["hint"] or "")
    assert chinese in problem["message"] + (problem["hint"] or "")


def strangers(relay: Relay, config: Path, added: str = "") -> dict[str, str]:
    """What is said of ids that nobody has met, by path: the hints."""
    with config.open("a", encoding="utf-8") as file:
        file.write(added)
    warnings = relay("check", "--config", str(config), "--json").json()["warnings"]
    return {each["path"]: each["hint"] for each in warnings if each["code"] == "never_seen"}


@pytest.fixture
def run_once(filled: Path, tmp_path: Path) -> Path:
    """A copy of the bot that heard three messages, whose bot.toml may be changed."""
    shutil.copytree(filled.parent, tmp_path / "once")
    return tmp_path / "once" / "bot.toml"


RULE = '[[plugins.keyword_reply.rules]]\nname = "more"\ncontains = ["x"]\nreply = "y"\n'


def test_ids_that_nobody_of_ours_has_met_are_told_with_the_nearest_that_somebody_has(
    relay: Relay, run_once: Path
) -> None:
    typo, nobody = EAST.replace("095", "59"), "7881309999999999"
    found = strangers(relay, run_once, f'{RULE}chats = ["{typo}"]\nsenders = ["{CUSTOMER}", "{nobody}"]\n')
    assert found.keys() == {
        "plugins.keyword_reply.rules[1].chats[0]",
        "plugins.keyword_reply.rules[1].senders[1]",
    }
    assert "客户群" not in found["plugins.keyword_reply.rules[1].senders[1]"]


def test_a_slip_of_the_keyboard_is_told_with_the_room_that_is_meant(relay: Relay, run_once: Path) -> None:
    text = run_once.read_text("utf-8")
    run_once.write_text(text.replace(f'east = "{EAST}"', f'east = "{EAST[:-2]}{EAST[-1]}"'), "utf-8")
    assert strangers(relay, run_once) == {"chats.east": f"是不是想写 `{EAST}`（客户群）？"}


def test_an_account_that_is_none_of_ours_is_told(relay: Relay, run_once: Path) -> None:
    found = strangers(relay, run_once, f'{RULE}accounts = ["{ACCOUNT}", "{CUSTOMER}"]\n')
    assert found.keys() == {"plugins.keyword_reply.rules[1].accounts[1]"}


def test_what_is_switched_off_and_what_nobody_could_have_met_is_not_told(
    relay: Relay, run_once: Path, empty: Path
) -> None:
    more = f'{RULE}chats = ["R:404"]\n'
    assert strangers(relay, run_once, f"{more}enabled = false\n") == {}
    assert strangers(relay, empty, more) == {}


def test_a_database_that_cannot_tell_is_no_problem_of_the_configuration(relay: Relay, run_once: Path) -> None:
    (run_once.parent / "relay.db").write_bytes(b"no database" * 1000)
    assert strangers(relay, run_once, f'{RULE}chats = ["R:404"]\n') == {}


def test_of_a_list_of_strangers_a_few_are_told_and_how_many_more_there_are(
    relay: Relay, run_once: Path
) -> None:
    listed = ", ".join(f'"R:40{number}"' for number in range(10))
    with run_once.open("a", encoding="utf-8") as file:
        file.write(f"{RULE}chats = [{listed}]\n")
    told = relay("check", "--config", str(run_once), "--json").json()["warnings"]
    found = [each["message"] for each in told if each["code"] == "never_seen"]
    assert [("另有 7 个" in each) for each in found] == [False, False, True]
