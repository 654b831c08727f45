"""`relay messages` and `relay deliveries`: the contract's shapes, and tables."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from cli.conftest import CUSTOMER, EAST, WEST, Relay
from rich.cells import cell_len

MESSAGE = "id svrid account chat chat_type sender type text own time received_at state"
DELIVERY = "id message_id kind account target state evidence attempts error created_at updated_at"


def test_a_message_has_the_contracts_keys(relay: Relay, filled: Path) -> None:
    rows = relay("messages", "--config", str(filled), "--json").json()
    assert " ".join(rows[0]) == f"{MESSAGE} reason late account_name chat_name sender_name"


def test_a_delivery_has_the_contracts_keys(relay: Relay, filled: Path) -> None:
    rows = relay("deliveries", "--config", str(filled), "--json").json()
    assert " ".join(rows[0]) == f"{DELIVERY} plugin rule occasion_id account_name target_name"


@pytest.mark.parametrize("command", ["messages", "deliveries"])
def test_the_newest_comes_first(relay: Relay, filled: Path, command: str) -> None:
    numbers = [int(row["id"][1:]) for row in relay(command, "--config", str(filled), "--json").json()]
    assert numbers == sorted(numbers, reverse=True)


def test_messages_of_one_chat_by_name_or_id(relay: Relay, filled: Path) -> None:
    by_name = relay("messages", "--config", str(filled), "--chat", "east", "--json").json()
    by_id = relay("messages", "--config", str(filled), "--chat", EAST, "--json").json()
    assert by_name == by_id
    assert {row["chat"] for row in by_name} == {EAST}


def test_a_name_for_several_chats_asks_for_all_of_them(relay: Relay, filled: Path) -> None:
    rows = relay("messages", "--config", str(filled), "--chat", "both", "--json").json()
    assert {row["chat"] for row in rows} == {EAST, WEST}


def test_since_takes_a_time(relay: Relay, filled: Path) -> None:
    """The bot of these tests lives in November 2023."""
    config = ("--config", str(filled), "--json")
    assert relay("messages", *config, "--since", "1h").json() == []
    assert relay("messages", *config, "--since", "2023-01-01 00:00").json()
    assert relay("messages", *config, "--since", "2023-11-15T06:13:20+08:00").json()
    assert relay("messages", *config, "--since", "2023-11-16").json() == []


def test_limit_is_the_number_of_rows(relay: Relay, filled: Path) -> None:
    assert len(relay("messages", "--config", str(filled), "--limit", "2", "--json").json()) == 2


def test_deliveries_of_one_message(relay: Relay, filled: Path) -> None:
    rows = relay("deliveries", "--config", str(filled), "--message", "m1", "--json").json()
    assert {row["message_id"] for row in rows} == {"m1"}


@pytest.mark.parametrize("state", ["accepted", "已受理", "held,accepted"])
def test_deliveries_in_a_state_by_either_name(relay: Relay, filled: Path, state: str) -> None:
    rows = relay("deliveries", "--config", str(filled), "--state", state, "--json").json()
    assert {row["state"] for row in rows} == {"accepted"}


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("messages", "--chat", "eats"), "eats", "east"),
        (("messages", "--chat", "zzz"), "zzz", "both"),
        (("messages", "--since", "yesterday"), "yesterday", "30m"),
        (("messages", "--limit", "0"), "0", "1000"),
        (("messages", "--limit", "many"), "many", "1000"),
        (("deliveries", "--state", "helt"), "helt", "是不是 held"),
        (("deliveries", "--state", "nonsense"), "nonsense", "discarded"),
        (("deliveries", "--message", "d1"), "d1", "m12"),
        (("deliveries", "--message", "m99999999999999999999"), "m9999", "m12"),
    ],
)
def test_a_wrong_question_exits_with_2_and_says_what_is_allowed(
    relay: Relay, filled: Path, arguments: tuple[str, ...], error: str, hint: str
) -> None:
    ended = relay(*arguments, "--config", str(filled), "--json")
    assert ended.code == 2
    assert error in ended.json()["error"]
    assert hint in ended.json()["hint"]


@pytest.mark.parametrize("command", ["messages", "deliveries"])
@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_a_table_is_never_wider_than_the_terminal(
    relay: Relay, filled: Path, command: str, width: int
) -> None:
    lines = relay(command, "--config", str(filled), columns=width).out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) >= 5


def test_a_row_takes_one_line_and_long_text_is_cut(relay: Relay, filled: Path) -> None:
    rows = relay("messages", "--config", str(filled), "--json").json()
    lines = relay("messages", "--config", str(filled), columns=80).out.splitlines()
    assert len(lines) == len(rows) + 3  # header, rule, and the line below
    assert "…" in next(line for line in lines if line.startswith("m1 "))


def test_people_and_chats_appear_by_their_names(relay: Relay, filled: Path) -> None:
    told = relay("messages", "--config", str(filled), columns=140).out
    assert "李伟 7881…0001" in told
    assert EAST not in told
    assert "7881…0001" not in relay("messages", "--config", str(filled), columns=80).out


def test_ids_are_shown_in_full_where_they_are_asked_for(relay: Relay, filled: Path) -> None:
    told = relay("messages", "--ids", "--config", str(filled), columns=140).out
    assert EAST in told
    assert CUSTOMER in told
    assert "李伟" not in told


def test_programs_get_names_beside_the_ids(relay: Relay, filled: Path) -> None:
    row = relay("messages", "--config", str(filled), "--json").json()[-1]
    assert (row["chat"], row["chat_name"], row["sender_name"]) == (EAST, "客户群", "李伟")


def test_what_is_stored_in_english_is_told_in_the_bots_language(relay: Relay, filled: Path) -> None:
    assert "我方消息" in relay("messages", "--config", str(filled), columns=140).out
    assert "own" in {row["reason"] for row in relay("messages", "--config", str(filled), "--json").json()}


def test_times_are_those_of_the_bot(relay: Relay, filled: Path) -> None:
    told = relay("messages", "--config", str(filled)).out
    assert "2023-11-15" in told
    assert "Asia/Shanghai" in told


@pytest.mark.parametrize("command", ["messages", "deliveries"])
def test_the_table_is_in_the_bots_language(relay: Relay, filled: Path, command: str) -> None:
    assert "状态" in relay(command, "--config", str(filled)).out


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_text_from_outside_cannot_trick_the_terminal(relay: Relay, filled: Path, json: list[str]) -> None:
    told = relay("messages", "--config", str(filled), *json, columns=200).out
    assert "[red]价格[/red]" in told
    assert not [c for c in told if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"]


def test_for_programs_the_text_is_what_was_said(relay: Relay, filled: Path) -> None:
    texts = [row["text"] for row in relay("messages", "--config", str(filled), "--json").json()]
    assert "[red]价格[/red] \x1b[31m \u202egnp.exe \u2066 \ufffd" in texts


@pytest.mark.parametrize("command", ["messages", "deliveries"])
def test_nothing_to_show_says_what_to_do(relay: Relay, empty: Path, command: str) -> None:
    ended = relay(command, "--config", str(empty))
    assert ended.code == 0
    assert "relay " in ended.out
    assert "--chat" in relay(command, "--config", str(empty), "--chat", "east").out
    assert relay(command, "--config", str(empty), "--json").json() == []
