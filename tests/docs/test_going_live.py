"""Going live: its commands are commands, those that need no root run, and its files are right."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.readme import BOTH, GOING_LIVE, PAGES, ROOT, Readme
from docs.test_reference import commands
from docs.test_snippets import ENVIRONMENT

from relay.clock import SystemClock
from relay.config import load
from relay.process import GRACE
from relay.roles import open_store

DEPLOY = ROOT / "deploy"
MISSING = "What is not there yet"
PLATFORM = "https://oapi-yzj.miaokol.com"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each = pytest.mark.parametrize("page", GOING_LIVE, ids=lambda page: page.name)


def lines(page: Readme) -> Iterator[str]:
    """What stands in the page to be typed into a shell."""
    for code in page.written_in("sh"):
        yield from code.splitlines()


def relay_calls(page: Readme) -> Iterator[list[str]]:
    """The arguments of every call of relay in the page."""
    for line in lines(page):
        words = shlex.split(line, comments=True)
        if words[:3] == ["sudo", "-u", "relay"]:
            words = words[3:]
        if words and Path(words[0]).name == "relay":
            yield words[1:]


@each_page
def test_every_call_of_relay_has_arguments_that_it_takes(page: Readme) -> None:
    for name, *arguments in relay_calls(page):
        command = commands().commands[name]
        assert command.make_context(name, list(arguments)).params, (name, arguments)


@each_page
def test_every_command_that_is_named_is_there(page: Readme) -> None:
    text = page.text.replace(page.section(MISSING), "") if page in BOTH else page.text
    assert set(re.findall(r"`(?:\S*/)?relay ([a-z]+)", text)) <= set(commands().commands)


@each_page
def test_every_block_for_the_shell_is_one(page: Readme) -> None:
    for code in page.written_in("sh"):
        subprocess.run(["/bin/sh", "-n"], input=code.encode(), check=True)


@each
def test_every_event_to_watch_is_logged_somewhere(page: Readme) -> None:
    events = [row[0].strip("`") for row in page.tables("What to watch")[0]]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "relay").rglob("*.py"))
    assert [event for event in events if f'"{event}"' not in code] == []


def test_both_pages_have_the_same_typed() -> None:
    """So that it is enough, in a short run, to follow the steps of one of them."""
    typed = [[shlex.split(line, comments=True) for line in lines(page)] for page in GOING_LIVE]
    words = [[[word for word in each if word not in ("zh", "en")] for each in page if each] for page in typed]
    assert words[0] == words[1]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.long] * (page in GOING_LIVE[1:]))
        for page in GOING_LIVE
    ],
)
def test_the_steps_can_be_followed(page: Readme, tmp_path: Path) -> None:
    """From an empty machine to a bot with a database and its backup: with other folders, and without root."""
    at_home = {"/etc/relay": str(tmp_path / "etc"), "/var/lib/relay": str(tmp_path)}
    run = _Shell(at_home)
    for line in lines(page):
        if line.startswith(("relay init", "cp /etc/relay/.env.example")):
            run(line)
    (tmp_path / "etc" / ".env").write_text(_filled_in(page, run), "utf-8")
    (settings,) = page.written_in("toml")
    (tmp_path / "etc" / "bot.toml").write_text(_moved(settings, at_home), "utf-8")
    checks = [line for line in lines(page) if " relay check " in line]
    run(checks[0])
    open_store(load(tmp_path / "etc" / "bot.toml"), SystemClock()).close()
    for line in lines(page):
        if re.search(r" relay (status|messages|deliveries) ", line):
            run(line)
        if " relay backup " in line:
            run(line)
            assert (tmp_path / "backup.db").stat().st_size > 0


class _Shell:
    def __init__(self, moved: dict[str, str]) -> None:
        self._moved = moved

    def __call__(self, line: str) -> str:
        """Run a line as the page has it, but for its folders and its user."""
        words = re.sub(r"^sudo -u relay ", "", _moved(line, self._moved))
        words = re.sub(r"^relay ", f"{shlex.quote(sys.executable)} -m relay ", words)
        words = re.sub(r"^python3 ", f"{shlex.quote(sys.executable)} ", words)
        done = subprocess.run(words, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.strip()


def _moved(text: str, moved: dict[str, str]) -> str:
    for there, here in moved.items():
        text = text.replace(there, here)
    return text


def _filled_in(page: Readme, run: _Shell) -> str:
    """The page's .env, with what the platform gives and what its own command makes up."""
    (make,) = {line for line in lines(page) if "token_urlsafe" in line}
    (template,) = [block.code for block in page.blocks if "RELAY_AES_KEY=" in block.code]
    given = {name: ENVIRONMENT[name] for name in ("RELAY_APP_ID", "RELAY_APP_SECRET", "RELAY_AES_KEY")}
    keys = [line.partition("=")[0] for line in template.splitlines()]
    return "".join(f"{key}={given.get(key) or run(make)}\n" for key in keys)


# -- the files of deploy/ ---------------------------------------------------------------------------


def test_the_service_outlasts_the_bots_own_time_to_end() -> None:
    unit = (DEPLOY / "relay.service").read_text("utf-8")
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(seconds) > GRACE + 5


@each
def test_files_and_page_say_the_same(page: Readme) -> None:
    unit, door = ((DEPLOY / name).read_text("utf-8") for name in ("relay.service", "relay.socket"))
    for path in ("/opt/relay/.venv/bin/relay", "/etc/relay/bot.toml", "/etc/relay/relay.env"):
        assert path in unit
        assert path in page.text
    assert "StateDirectory=relay\n" in unit
    config = load(ROOT / "bot.toml", ENVIRONMENT)
    public = f"{config.server.host}:{config.server.port}"
    assert f"ListenStream={public}\n" in door
    for proxy in ("nginx.conf", "Caddyfile"):
        text = (DEPLOY / proxy).read_text("utf-8")
        assert (public in text, str(config.console.port) in text) == (True, False)
        assert re.search(r"\b8(m|MiB)\b", text)
        assert str(config.server.max_body) == "8MB"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in ("relay.service", "relay.socket"):
        text = (DEPLOY / name).read_text("utf-8").replace("/opt/relay/.venv/bin/relay", "/bin/true")
        (tmp_path / name).write_text(text, "utf-8")
    units = [str(tmp_path / name) for name in ("relay.service", "relay.socket")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_example(tmp_path: Path) -> None:
    _certificate(tmp_path)
    example = (DEPLOY / "nginx.conf").read_text("utf-8")
    example = re.sub(r"/etc/letsencrypt/live/bot.example.com", str(tmp_path), example)
    (tmp_path / "relay.conf").write_text(example, "utf-8")
    parts = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{part}_temp_path {tmp_path}/{part};" for part in parts)
    main = f"pid {tmp_path}/pid; events {{}} http {{ {folders} include {tmp_path}/relay.conf; }}"
    (tmp_path / "main.conf").write_text(main, "utf-8")
    command = ["nginx", "-t", "-c", str(tmp_path / "main.conf"), "-e", str(tmp_path / "error.log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _certificate(folder: Path) -> None:
    names_ = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bot"]
    subprocess.run([*make, *names_], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
def test_caddy_takes_its_example() -> None:
    command = ["caddy", "adapt", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
