"""`POST /api/try`: the answer of `relay try`, found out where a plugin can hurt nobody."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console.conftest import ACCOUNT, CUSTOMER, EAST, KEY, WEST, Ask, Door
from starlette.responses import Response

from relay.console.app import create_console
from relay.console.rehearsals import Rehearsals, command
from relay.roles import load_plugins
from relay.testing import SECRETS, asgi_call

LINE: dict[str, object] = {"text": "hello", "chat": "east", "sender": CUSTOMER, "account": ""}


def body(**changed: object) -> bytes:
    return json.dumps(LINE | changed).encode()


def test_it_tells_what_the_command_tells(ask: Ask) -> None:
    status, told = ask("/api/try", method="POST", body=body(account=None))
    assert status == 200
    assert list(told)[:2] == ["decisions", "trace"]
    assert told["decisions"][0]["targets"] == [WEST]
    assert told["message"]["chat"] == EAST


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"", b"[]", b"null", b"{", b"\xff", b'{"text":"x"}', b"[" * 60_000, b'{"text":"\\ud800"'),
        *(body(text=1), body(text=""), body(chat=["east"]), body(sender=None), body(extra=1)),
        *(
            body(chat="eats"),
            body(chat="\ud800"),
            body(sender=""),
            body(sender="a\0b"),
            body(sender="7" * 300),
        ),
    ],
)
def test_a_wrong_body_is_400_with_a_hint(ask: Ask, wrong: bytes) -> None:
    status, told = ask("/api/try", method="POST", body=wrong)
    assert status == 400
    assert told["error"]
    assert told["hint"]


def test_an_account_that_is_not_ours_is_404_and_starts_nothing(ask: Ask) -> None:
    status, told = ask("/api/try", method="POST", body=body(account=CUSTOMER))
    assert (status, ACCOUNT in told["hint"]) == (404, True)


@pytest.mark.parametrize("length", [65_537, 10**30])
def test_a_body_that_says_it_is_too_large_is_not_read(ask: Ask, length: int) -> None:
    status, told = ask("/api/try", {**KEY, "content-length": str(length)}, "POST")
    assert status == 413
    assert "65536" in told["hint"]


def test_a_body_that_does_not_say_it_is_too_large_is_not_read_on(ask: Ask) -> None:
    status, _ = ask("/api/try", {**KEY, "content-length": "0"}, "POST", body(text="x" * 70_000))
    assert status == 413


# --- the real child ------------------------------------------------------------------------------


@pytest.fixture
def bot(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose plugin does as it is told by what is said, and then leaves a file behind."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    plugin = door.config.folder / "plugins" / "naughty.py"
    plugin.parent.mkdir(exist_ok=True)
    plugin.write_text(NAUGHTY, "utf-8")
    yield plugin.parent
    for each in plugin.parent.iterdir():
        if each.is_file():
            each.unlink()


NAUGHTY = """
import os, pathlib
from relay import Plugin

plugin = Plugin("naughty")
HERE = pathlib.Path(__file__).parent


@plugin.on_message()
async def obey(message, ctx):
    (HERE / "seen").write_text(f"{os.getpid()} {os.nice(0)} {pathlib.Path('/proc/self/cmdline').read_text()}")
    print("words that are not the answer", flush=True)
    os.system("echo words of a program that a plugin started")
    if message.text == "leave":
        os._exit(0)
"""


def rehearse(asked: Rehearsals, text: str = "hello") -> tuple[int, Any]:
    """What is answered."""
    answer: Response = asyncio.run(asked(body(text=text)))
    return answer.status_code, json.loads(bytes(answer.body))


def script(code: str, limit: float = 30.0) -> Rehearsals:
    """Some other program in place of ours; `limit` in seconds."""
    return Rehearsals((sys.executable, "-c", code), "en", limit)


def test_plugins_run_in_a_process_of_their_own_that_steps_back(door: Door, bot: Path) -> None:
    status, told = rehearse(Rehearsals(command(door.config.path), "en"))
    assert status == 200
    assert {line["plugin"] for line in told["trace"]} == {"group_mirror", "keyword_reply", "naughty"}
    pid, nice, cmdline = (bot / "seen").read_text().split(" ", 2)
    assert int(pid) != os.getpid()
    assert int(nice) >= 10
    assert "hello" not in cmdline


def test_a_plugin_that_ends_the_process_is_told(door: Door, bot: Path) -> None:
    status, told = rehearse(Rehearsals(command(door.config.path), "en"), "leave")
    assert status == 502
    assert "relay try" in told["hint"]


@pytest.mark.parametrize(
    "code",
    ["print('[]')", "print('{')", "print('[' * 100_000)", "import os; os.kill(os.getpid(), 9)", "exit(1)"],
)
def test_whatever_is_no_answer_is_told_as_none(code: str) -> None:
    assert rehearse(script(code))[0] == 502


def test_an_answer_without_end_is_not_read_on() -> None:
    assert rehearse(script("while True: print('x' * 100_000)"))[0] == 502


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "child"
    busy = f"import subprocess as s; open({str(note)!r}, 'w').write(str(s.Popen(['sleep', '300']).pid))"
    status, told = rehearse(script(f"{busy}\nwhile True: pass", limit=1.5))
    assert status == 504
    assert told["hint"]
    assert ends(int(note.read_text()))


def test_one_that_left_the_group_and_holds_the_output_open_takes_no_place_for_good(tmp_path: Path) -> None:
    note = tmp_path / "child"
    start = "s.Popen(['sleep', '60'], start_new_session=True).pid"
    away = f"import subprocess as s; open({str(note)!r}, 'w').write(str({start}))"
    asked = script(away, limit=1.0)
    try:
        assert rehearse(asked)[0] == 504
        assert asked._running == 0
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


def ends(pid: int) -> bool:
    """Whether a process that was killed is soon gone: a signal takes its time to arrive."""
    for _ in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.01)
    return False


def is_running(pid: int) -> bool:
    """Whether there is such a process that is more than a name waiting to be collected."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_broken_configuration_is_told_as_relay_check_tells_it(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text("[bot]\nlanguage = 'en'\n[nonsense]\n", "utf-8")
    status, told = rehearse(Rehearsals(command(tmp_path / "bot.toml"), "en"))
    assert status == 503
    assert "problem" in told["error"]


def test_only_so_many_run_at_once(door: Door, tmp_path: Path) -> None:
    """The others are told at once, while those run."""
    gate = tmp_path / "gate"
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    asked = script(f"{waits}\nprint('{{}}')")
    app = create_console(door.config, door.store, load_plugins(door.config), door.clock, asked)

    async def ask_once() -> int:
        return (await asgi_call(app, "POST", "/api/try", body=body(), headers=KEY))[0]

    async def all_at_once() -> tuple[list[int], list[int]]:
        asking = [asyncio.create_task(ask_once()) for _ in range(5)]
        told = [await each for each in itertools.islice(asyncio.as_completed(asking), 3)]
        gate.touch()
        return told, sorted(await asyncio.gather(*asking))

    assert asyncio.run(all_at_once()) == ([503] * 3, [200, 200, 503, 503, 503])
