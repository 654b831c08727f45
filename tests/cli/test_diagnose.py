"""`relay diagnose`: what is wrong with callbacks that could not be read."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from bots import callback, entry, sealed
from cli.conftest import ACCOUNT, TOML, Relay

from relay.operating.diagnosis import ADVICE, LOOKS, REASONS, looks_like
from relay.simulator.clockwork import ManualClock
from relay.testing import SECRETS, Bot
from relay.wire.crypto import encrypt

OTHER = b"another-key-that-is-not-the-bots"
SAID = "what a customer said"


async def _push(folder: Path, *bodies: bytes) -> None:
    async with Bot(TOML, folder=folder, clock=ManualClock()) as bot:
        for body in bodies:
            await bot.push(body)
            bot.clock.jump(1)


def bot_with(folder: Path, *bodies: bytes) -> tuple[str, str]:
    """What names the configuration of a bot to which these were pushed."""
    asyncio.run(_push(folder, *bodies))
    return "--config", str(folder / "bot.toml")


def foreign(svrid: str) -> bytes:
    """A good callback under another key than ours."""
    notifications = [{"type": "chatMsg", "rel_wxid": ACCOUNT, "data": [entry(svrid, SAID)]}]
    return encrypt(json.dumps(notifications).encode(), OTHER)


def test_where_all_was_read_it_says_so(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, callback(entry()))
    assert "都读出来了" in relay("diagnose", *config).out
    told = relay("diagnose", *config, "--json").json()
    assert (told["kept"], told["since"], told["verdict"], told["bodies"]) == (0, None, None, [])


@pytest.mark.parametrize(
    ("body", "failed", "looks"),
    [
        (b"", "empty", "nothing"),
        (b'[{"type": "chatMsg"}]', "plaintext_refused", "array"),
        (b"no base64!", "wire_form", "text"),
        (b'{"hello": 1}', "wire_form", "object"),
        (gzip.compress(b"[]", mtime=0), "wire_form", "compressed"),
        (b"\xff" * 32, "padding", "bytes"),
        (b"<html></html>", "wire_form", "markup"),
        (b"data=abc%20def", "wire_form", "form"),
        (sealed(b"7"), "json", "base64"),
        (sealed(b'[{"type":"chatMsg","data":['), "body", "base64"),
    ],
)
def test_each_body_is_told_with_the_check_it_failed(
    relay: Relay, tmp_path: Path, body: bytes, failed: str, looks: str
) -> None:
    (row,) = relay("diagnose", *bot_with(tmp_path, body), "--json").json()["bodies"]
    assert (row["failed"], row["now"]) == (failed, failed)
    assert row["looks"] == looks or failed == "body"  # a part is kept as it is inside
    assert row["hint"] == ADVICE[failed].zh


def test_the_wrong_key_is_named_where_nothing_could_ever_be_read(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, *(foreign(str(number)) for number in range(9)))
    assert "encoding_aes_key 几乎肯定" in relay("diagnose", *config).out


def test_a_key_that_was_right_once_is_named_when_nothing_is_read_any_more(
    relay: Relay, tmp_path: Path
) -> None:
    stray, good = foreign("1"), callback(entry("2"))
    config = bot_with(tmp_path, stray, good, *(foreign(str(number)) for number in range(3, 20)))
    assert "encoding_aes_key 几乎肯定" in relay("diagnose", *config).out


def test_the_key_is_not_blamed_where_others_could_be_read(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, foreign("1"), callback(entry("2")), foreign("3"))
    assert "密钥没错" in relay("diagnose", *config).out


def test_another_reason_is_named_with_what_to_do(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, *[b'[{"type":"chatMsg"}]'] * 3, foreign("1"))
    assert "server.allow_plaintext" in relay("diagnose", *config, "--json").json()["verdict"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_of_a_body_and_no_secret_is_shown(relay: Relay, tmp_path: Path, language: str) -> None:
    hostile = "\x1b[31m\u202e[red]sesame[/red]".encode()
    bodies = (foreign("1"), callback(entry("2", SAID))[:-40], b"[" + hostile, sealed(b"[" + hostile), hostile)
    config = bot_with(tmp_path, *bodies)
    file = Path(config[1])
    file.write_text(file.read_text("utf-8").replace('language = "zh"', f'language = "{language}"'), "utf-8")
    told = relay("diagnose", *config).out + relay("diagnose", *config, "--json").out
    assert not [secret for secret in (SAID, "sesame", *SECRETS.values()) if secret in told]
    assert not [c for c in told if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]


def correct(config: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the key right under which `foreign` bodies came."""
    monkeypatch.setenv("RELAY_AES_KEY", OTHER.decode())


def test_after_a_correction_it_tells_what_can_be_read_now(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bot_with(tmp_path, foreign("1"), b"no base64!", foreign("2"))
    correct(config, monkeypatch)
    told = relay("diagnose", *config, "--json").json()
    assert (told["kept"], told["readable"], told["reasons"]) == (3, 2, {"wire_form": 1})
    assert "--take-in" in relay("diagnose", *config).out


def test_what_can_be_read_now_is_taken_in_once_as_received_when_it_was(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bot_with(tmp_path, foreign("1"), b"no base64!", foreign("2"), foreign("1"))
    came = [row["received_at"] for row in relay("diagnose", *config, "--json").json()["bodies"]]
    correct(config, monkeypatch)
    assert relay("diagnose", "--take-in", *config, "--json").json() == {"bodies": 3, "entries": 2}
    assert "0 个正文" in relay("diagnose", "--take-in", *config).out
    messages = relay("messages", *config, "--json").json()
    assert [(row["svrid"], row["text"]) for row in messages] == [("2", SAID), ("1", SAID)]
    assert [row["received_at"] for row in messages] == [came[1], came[3]]
    assert [row["failed"] for row in relay("diagnose", *config, "--json").json()["bodies"]] == ["wire_form"]


def test_to_look_changes_nothing(relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = bot_with(tmp_path, foreign("1"))
    correct(config, monkeypatch)
    assert relay("diagnose", *config, "--json").out == relay("diagnose", *config, "--json").out
    assert relay("messages", *config, "--json").json() == []


def test_limit_is_the_number_of_rows(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, b"?", b"?", b"?")
    told = relay("diagnose", "--limit", "2", *config, "--json").json()
    assert (told["kept"], len(told["bodies"])) == (3, 2)
    assert relay("diagnose", "--limit", "0", *config).code == 2


def test_every_reason_has_a_name_and_advice() -> None:
    assert set(REASONS) == set(ADVICE)
    assert looks_like(b"") in LOOKS


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        (b" YWJj\n", "base64"),
        (b"YWJj=", "base64"),
        (b"0a0B", "hex"),
        (b'"x"', "string"),
        (b"{", "object"),
        (b"\0", "bytes"),
    ],
)
def test_what_a_body_looks_like(body: bytes, looks: str) -> None:
    assert looks_like(body) == looks


def test_status_names_the_command_while_such_a_body_is_kept(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, foreign("1"), callback(entry("2")), foreign("3"))
    told = relay("status", *config, "--json").json()["unreadable"]
    assert told["count"] == 2
    assert told["last_at"].endswith("Z")
    assert "relay diagnose" in relay("status", *config).out


def test_status_keeps_quiet_about_it_where_all_was_read(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, callback(entry()))
    assert relay("status", *config, "--json").json()["unreadable"]["count"] == 0
    assert "diagnose" not in relay("status", *config).out


def test_in_chinese_the_advice_stands_behind_a_chinese_colon(relay: Relay, tmp_path: Path) -> None:
    shown = relay("diagnose", *bot_with(tmp_path, b"")).out
    assert f"{REASONS['empty'].zh}：" in shown


def test_explain_tells_what_came_and_why_it_could_not_be_read_and_nothing_of_it(
    relay: Relay, tmp_path: Path
) -> None:
    body = foreign("1")
    config = bot_with(tmp_path, body, callback(entry()))
    told = relay("explain", "b1", *config)
    assert told.code == 0
    for words in ("b1", "读不出来", REASONS["padding"].zh, "encoding_aes_key"):
        assert words in told.out
    row = relay("explain", "B1", *config, "--json").json()
    assert (row["kind"], row["failed"], row["bytes"]) == ("body", "padding", len(body))
    assert SAID not in json.dumps(row)


def test_explain_knows_a_body_that_is_gone_from_one_that_never_was(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, b"no base64!")
    with closing(sqlite3.connect(tmp_path / "relay.db")) as db, db:
        db.execute("DELETE FROM damaged")
    gone, never = relay("explain", "b1", *config), relay("explain", "b2", *config)
    assert (gone.code, never.code) == (1, 1)
    assert "后来收下了" in gone.err
    assert "没有正文 b2" in never.err


def test_status_names_the_last_body_that_could_not_be_read(relay: Relay, tmp_path: Path) -> None:
    config = bot_with(tmp_path, b"no base64!", b"nor this!")
    assert relay("status", *config, "--json").json()["unreadable"]["last_id"] == "b2"
    assert "relay explain b2" in relay("status", *config).out
