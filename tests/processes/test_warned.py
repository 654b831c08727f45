"""What a reload says of rules that are allowed and never get their turn."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from relay.config import read_files
from relay.supervisor.check import Check
from relay.testing import BASE, SECRETS

RULES = """
[[plugins.keyword_reply.rules]]
name = "a secret word"
contains = ["price"]
reply = "x"
[[plugins.keyword_reply.rules]]
name = "later"
contains = ["price list"]
reply = "y"
[[plugins.keyword_reply.rules]]
name = "too"
contains = ["prices"]
reply = "z"
"""


def test_warnings_are_told_in_the_log_on_one_line_and_refuse_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text(BASE % "" + RULES, "utf-8")
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()), "utf-8")
    check = Check(path, read_files(path))
    until = time.monotonic() + 50
    while not check.over() and time.monotonic() < until:
        time.sleep(0.02)
    with structlog.testing.capture_logs() as logs:
        check.judge(strictly=True)
    check.end()
    (told,) = [each for each in logs if each["event"] == "configuration_warned"]
    assert told == {
        "event": "configuration_warned",
        "log_level": "warning",
        "count": 2,
        "codes": "shadowed",
        "first": "plugins.keyword_reply.rules[1]",
    }
