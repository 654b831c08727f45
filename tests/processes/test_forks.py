"""Roles are forked from a process that has loaded everything; without it they start by themselves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.live import CUSTOMER, LiveBot, free_ports, platform, rooms, until

import relay
from relay.errors import ConfigurationError
from relay.supervisor import forks
from relay.supervisor.child import Child
from relay.supervisor.forks import Forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt others")

BURYING = """
import os, time
from relay.supervisor.adoption import adopt, bury_others
assert adopt()
ours = os.fork()
if not ours:
    if not os.fork():
        os._exit(3)  # an orphan, which ends
    os._exit(0)
while len(open(f"/proc/self/task/{os.getpid()}/children").read().split()) < 2:
    time.sleep(0.01)
while len(open(f"/proc/self/task/{os.getpid()}/children").read().split()) > 1:
    bury_others({ours})
assert os.waitpid(ours, 0)[0] == ours, "nobody else buries what somebody waits for"
"""


def words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


async def serves_again(bot: LiveBot, role: str) -> int:
    """Kill a role; the process that has it next."""
    before = await bot.pid(role)
    os.kill(before, signal.SIGKILL)
    await until(lambda: int(bot.told("role_serving", role=role)[-1]["pid"]) != before)
    return await bot.pid(role)


def test_a_role_that_dies_is_forked_and_not_started_anew(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            assert words(await bot.pid("sender")) == words(await bot.pid("forkserver"))
            assert words(await serves_again(bot, "router")) == words(await bot.pid("forkserver"))
            assert len(bot.told("forkserver_loaded")) == 1

    asyncio.run(go())


def test_without_a_fork_server_a_role_starts_by_itself_until_there_is_another(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            dead = await bot.pid("forkserver")
            os.kill(dead, signal.SIGKILL)
            await serves_again(bot, "sender")
            await until(lambda: bot.told("forkserver_loaded")[-1]["pid"] != dead)
            assert words(await serves_again(bot, "sender")) == words(await bot.pid("forkserver"))

    asyncio.run(go())


@pytest.mark.long
def test_a_fork_server_that_is_silent_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            await bot.start()
            stopped = await bot.pid("forkserver")
            os.kill(stopped, signal.SIGSTOP)
            assert "relay.standby" in words(await serves_again(bot, "router"))
            await until(lambda: bot.told("forkserver_loaded")[-1]["pid"] != stopped)
            assert words(await serves_again(bot, "router")) == words(await bot.pid("forkserver"))

    asyncio.run(go())


def test_what_plugins_left_behind_is_buried_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", BURYING], capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


LOADS = "import socket, sys, time; socket.socket(fileno=int(sys.argv[1])).send(b'.'); time.sleep(60)"
DIES = "raise SystemExit(3)"
IS_SILENT = "import time; time.sleep(60)"


class Scripted(Forks):
    """Forks whose fork servers are small programs: what is on disk is `program`."""

    program = LOADS

    def _started(self, module: str, *role: str) -> Child:
        self.started = [*getattr(self, "started", []), module]
        channel, told = socket.socketpair()
        with told:
            command = [sys.executable, "-S", "-E", "-c", self.program, str(told.fileno())]
            process = subprocess.Popen(command, pass_fds=[told.fileno()], process_group=0)
        return Child(process, channel, *role)

    def loaded(self, *, renewing: bool) -> bool:
        """Look until what was begun has come to an end."""
        while True:
            time.sleep(0.01)
            for child in self.children():
                child.look(time.monotonic())
            if self.renewed(time.monotonic()) if renewing else self.settled:
                return True


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setattr(forks, "adopt", lambda: True)
    made = Scripted(0, lambda: None)
    made.loaded(renewing=False)
    yield made
    made.end()
    for child in made.children():
        child.bury()


def servers(made: Forks) -> list[int]:
    return [child.pid for child in made.children() if not child.ended()]


@pytest.mark.parametrize("program", [DIES, IS_SILENT], ids=["dies", "is silent"])
def test_a_fork_server_goes_on_where_its_successor_does_not_load(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(forks, "START_LIMIT", 0.5 if program == IS_SILENT else 60)
    before = servers(scripted)
    scripted.program = program
    scripted.renew()
    reason = "code 3" if program == DIES else "longer than 0.5 s"
    with pytest.raises(ConfigurationError, match=f"the program on disk does not load: .*{reason}"):
        scripted.loaded(renewing=True)
    scripted.tend(time.monotonic(), set())
    assert servers(scripted)[-1:] == before
    assert scripted.settled


def test_a_fork_server_ends_once_its_successor_has_loaded(scripted: Scripted) -> None:
    (before,) = servers(scripted)
    scripted.renew()
    assert before in servers(scripted)
    assert scripted.loaded(renewing=True)
    while before in servers(scripted):
        time.sleep(0.01)
    assert len(servers(scripted)) == 1


def test_where_nothing_is_adopted_the_program_is_loaded_once_to_see_that_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forks, "adopt", lambda: False)
    made = Scripted(0, lambda: None)
    made.renew()
    assert made.loaded(renewing=True)
    made.program = DIES
    made.renew()
    with pytest.raises(ConfigurationError, match="code 3"):
        made.loaded(renewing=True)
    while servers(made):
        time.sleep(0.01)


def test_a_fork_server_that_does_not_answer_keeps_no_role_waiting(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "ANSWER", 0.05)
    (silent,) = servers(scripted)
    child = scripted.child("router")
    assert child is not None
    assert (child.role, scripted.started) == ("router", ["relay.forkserver", "relay.standby"])
    child.bury()
    scripted.tend(time.monotonic(), set())
    assert scripted.loaded(renewing=False)
    while silent in servers(scripted):
        time.sleep(0.01)
    assert len(servers(scripted)) == 1


HIDING = """
import os, sys, time
from pathlib import Path
from relay.supervisor.check import Check, files_now
from relay.supervisor.forks import Forks
path = Path(sys.argv[1])
check = Check(path, files_now(path))
forks = Forks(os.pipe()[0], lambda: None)
(server,) = forks.children()
while not (check.over() and (server.loaded or server.ended())):
    server.look(time.monotonic())
    time.sleep(0.01)
check.judge(strictly=True)
assert server.loaded, "the fork server found what we do not"
server.bury()
"""


def test_a_folder_that_hides_a_module_of_pythons_hides_it_from_no_process_of_ours(tmp_path: Path) -> None:
    config = LiveBot(tmp_path, free_ports(3))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "queue.py").write_text("raise ImportError('hidden')\n")
    command = [sys.executable, "-P", "-c", HIDING, str(config.config)]  # as the installed command begins
    done = subprocess.run(
        command, cwd=folder, env=config.environment, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


class Upgraded(LiveBot):
    """A bot that runs a program of its own, which somebody changes."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.folder / "program"), "PYTHONSAFEPATH": "1"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("sending/lanes.py", "the program on disk does not load: its process ended with code 1"),
        ("linting/linter.py", "relay check did not finish"),  # by whom the reload is checked
    ],
)
def test_a_reload_whose_program_does_not_load_replaces_nobody_and_says_why(
    tmp_path: Path, part: str, reason: str
) -> None:
    ours = Path(relay.__file__).parent
    for each in (ours, ours.parent / "plugins"):
        shutil.copytree(each, tmp_path / "program" / each.name)
    file = tmp_path / "program" / "relay" / part
    good = file.read_text("utf-8")

    async def go() -> None:
        async with platform(tmp_path) as (simulator, bot):
            bot.__class__ = Upgraded
            await bot.start()
            before = {role: await bot.pid(role) for role in ("router", "sender", "forkserver")}
            file.write_text("import nowhere\n" + good, "utf-8")
            bot.config.write_text(bot.config.read_text().replace("100 yuan", "90 yuan"))
            assert bot.process is not None
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: bot.told("reload_refused"))
            (told,) = bot.told("reload_refused")
            assert reason in told["problem"]
            assert {role: await bot.pid(role) for role in before} == before
            await serves_again(bot, "sender")  # forked by the old one, or it would not load either
            await until(lambda: bot.told("plugin_swapped"))  # what needs no new process
            simulator.say(rooms(0)[0], CUSTOMER, "price?")
            await until(lambda: b"90 yuan" in simulator.ledger.in_chat(rooms(0)[0])[-1].content)
            file.write_text(good, "utf-8")
            bot.process.send_signal(signal.SIGHUP)
            await until(lambda: len(bot.told("role_serving", role="router")) == 2)

    asyncio.run(go())
