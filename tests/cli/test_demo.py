"""`relay demo` and `relay sim`, as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.conftest import EAST, WEST, Relay

from relay.cli import ports, texts
from relay.cli.children import Child, _serious
from relay.cli.demo import OURS
from relay.cli.demo_setup import Ports, Setup
from relay.config import load
from relay.errors import RefusalError
from relay.roles import load_plugins
from relay.testing import SECRETS

HERE = Path(__file__).parents[2]
CUSTOMER = "7881300000000001"
PATIENCE = 30.0


def environment() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RELAY_", "LC_", "COLUMNS"))}
    return {**inherited, "PYTHONPATH": str(HERE), "LANG": "en_GB.UTF-8", "PYTHONUNBUFFERED": "1"}


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "relay", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def get(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()


def say(page: str, text: str) -> None:
    content = {"items": [{"type": "text", "text": text}]}
    body = {"chat": EAST, "sender": CUSTOMER, "msg_type": "text", "content": content}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{page}sim/say", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=5).close()


def running(word: str) -> dict[int, str]:
    """The processes of this machine that have the word in their command line."""
    told = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.strip().partition(" ") for line in told.splitlines()[1:]]
    return {int(pid): command for pid, _, command in lines if word in command}


class Demo:
    """A demo that is ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = start("demo", "--lang", "en", "--folder", str(folder))
        self.told = ""
        assert self.process.stdout
        for line in self.process.stdout:
            self.told += line
            if "Ctrl-C ends it" in line:
                return
        raise AssertionError(self.told)

    @property
    def page(self) -> str:
        found = re.search(r"Open in a browser\W+(http://\S+/)", self.told)
        assert found
        return found[1]

    def api(self, path: str) -> object:
        config = (self.folder / "bot.toml").read_text()
        port = re.findall(r"^port = (\d+)", config, re.MULTILINE)[1]
        password = re.findall("RELAY_CONSOLE_PASSWORD=(.*)", (self.folder / ".env").read_text())[0]
        url = f"http://127.0.0.1:{port}/api/{path}"
        return json.loads(get(url, Authorization=f"Bearer {password}")[1])

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        until(lambda: not running(str(self.folder)))


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "demo")
    yield demo
    demo.end()


def test_the_demo_mirrors_and_answers_and_ctrl_c_leaves_nothing_running(demo: Demo) -> None:
    assert get(demo.page)[0] == 200
    say(demo.page, "what is the price?")
    until(lambda: {WEST, EAST} <= {row["target"] for row in demo.api("deliveries")})  # type: ignore[attr-defined] # JSON
    assert oct((demo.folder / ".env").stat().st_mode)[-3:] == "600"
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(15) == 0
    assert running(str(demo.folder)) == {}
    assert (demo.folder / "relay.db").exists()
    assert demo.process.stdout
    assert "warning" not in demo.process.stdout.read()


def test_what_the_log_says_of_the_demos_own_configuration_is_known(demo: Demo) -> None:
    log = demo.folder / "bot.log"
    until(lambda: b"configuration_warned" in log.read_bytes())
    (warned,) = [line for line in log.read_bytes().splitlines() if b"configuration_warned" in line]
    told = _serious(warned)
    assert told
    assert told.endswith(OURS)


def test_the_demo_ends_with_1_and_says_why_when_a_program_of_its_dies(demo: Demo) -> None:
    (bot,) = [pid for pid, command in running(str(demo.folder)).items() if "--with-parent" in command]
    os.kill(bot, signal.SIGKILL)
    told, _ = demo.process.communicate(timeout=PATIENCE)
    assert demo.process.returncode == 1
    assert "the bot ended unexpectedly (code -9)" in told
    assert '"event": "role_' in told  # the last words of its log
    assert running(str(demo.folder)) == {}


STARTS_A_SIMULATOR = """
import sys, time
from pathlib import Path
from relay.cli import texts
from relay.cli.children import Child
child = Child(texts.THE_SIMULATOR, ["sim", "--port", sys.argv[1]], {}, Path(sys.argv[2]))
child.wait_until_ready(f"http://127.0.0.1:{sys.argv[1]}/")
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_demo_takes_its_programs_along(tmp_path: Path) -> None:
    port = str(ports.any_free())
    command = [sys.executable, "-c", STARTS_A_SIMULATOR, port, str(tmp_path / "log")]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert running(f"sim --port {port}")
        process.kill()
    until(lambda: not running(f"sim --port {port}"))


def test_the_simulator_alone_says_what_to_write_and_ends_with_0() -> None:
    process = start("sim", "--port", str(ports.any_free()), "--lang", "zh")
    assert process.stdout
    told = "".join(process.stdout.readline() for _ in range(9))
    page = re.findall("http://[0-9.:]+/", told)[0]
    assert 'app_secret = "sim-secret"' in told
    until(lambda: reachable(page))
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


def test_a_terminal_that_knows_no_chinese_is_no_reason_to_fail(empty: Path) -> None:
    command = [sys.executable, "-m", "relay", "status", "--config", str(empty)]
    env = {**environment(), **SECRETS, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"??? accepted" in done.stdout


def reachable(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("command", [("sim", "--port"), ("demo", "--console-port")])
def test_a_port_that_is_taken_is_told(relay: Relay, command: tuple[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = relay(*command, str(other.getsockname()[1]))
    assert ended.code == 1
    assert command[1] in ended.err


def test_the_demo_refuses_a_folder_with_a_bot(relay: Relay, fresh: Path) -> None:
    before = fresh.read_bytes()
    ended = relay("demo", "--folder", str(fresh.parent))
    assert ended.code == 2
    assert fresh.read_bytes() == before


def test_a_language_that_there_is_not_is_refused(relay: Relay) -> None:
    assert relay("sim", "--lang", "fr").code == 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_demo_writes_passes_the_check(tmp_path: Path, language: str) -> None:
    setup = Setup(Ports(1, 2, 3), "zh" if language == "zh" else "en")
    config = load(setup.write(tmp_path), {})
    assert load_plugins(config).problems == []
    assert config.bot.language == language
    assert set(setup.bot_environment().values()) <= {*config.secrets(), setup.callback_secret}


def test_every_demo_has_secrets_of_its_own_and_shows_none() -> None:
    one, other = Setup(Ports(1, 2, 3), "en"), Setup(Ports(1, 2, 3), "en")
    assert not set(one.bot_environment().values()) & set(other.bot_environment().values())
    assert not [secret for secret in one.bot_environment().values() if secret in repr(one)]


def test_ports_that_were_chosen_are_three() -> None:
    found = Ports.choose(None, ports.any_free(), None)
    assert len({found.simulator, found.public, found.console}) == 3


def test_a_program_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = Child(texts.BOT, ["run", "--config", str(tmp_path / "none.toml")], {}, tmp_path / "log")
    with pytest.raises(RefusalError) as told:
        child.wait_until_ready("http://127.0.0.1:9/")
    child.end()
    assert "there is no such file" in str(told.value.told("en")["hint"])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            b'{"event": "role_died", "level": "warning", "role": "router", "time": "x"}',
            "warning: role_died role=router",
        ),
        (b'{"event": "role_started", "level": "info"}', None),
        (b"Segmentation \x1b[31mfault\n", "Segmentation \ufffd[31mfault"),
        (b"\n", None),
    ],
)
def test_of_a_log_only_what_is_serious_is_shown(line: bytes, shown: str | None) -> None:
    assert _serious(line) == shown


def test_a_new_bot_runs_once_its_environment_is_filled_in(relay: Relay, tmp_path: Path) -> None:
    """`relay init`, `.env` written, and the real thing against a simulator."""
    platform, public, console = ports.any_free(), ports.any_free(), ports.any_free()
    assert relay("init", str(tmp_path), "--lang", "en").code == 0
    config = tmp_path / "bot.toml"
    text = config.read_text("utf-8").replace("https://oapi-yzj.miaokol.com", f"http://127.0.0.1:{platform}")
    for default, port in (("8080", public), ("8081", console)):
        text = text.replace(f"#port = {default}", f"port = {port}")
    config.write_text(text.replace("#base_url", "base_url"), "utf-8")
    (tmp_path / ".env").write_text(
        "".join(f"{k}={v}\n" for k, v in {**SECRETS, "RELAY_APP_ID": "sim-app"}.items())
    )
    simulator, bot = start("sim", "--port", str(platform)), start("run", "--config", str(config))
    try:
        until(lambda: reachable(f"http://127.0.0.1:{public}/readyz"))
    finally:
        for process in (bot, simulator):
            process.terminate()
            process.communicate(timeout=PATIENCE)
    assert bot.returncode == 0
