"""`relay demo`: simulator, bot and console on this machine."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.box import ROUNDED
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.called import program
from relay.cli.children import Child
from relay.cli.demo_setup import Ports, Setup, demo_folder
from relay.cli.ports import HOST
from relay.cli.screen import screen
from relay.cli.sim import Lang, language_asked
from relay.errors import RefusalError
from relay.language import Language, Text

HELP = """Show all of it on this machine: a simulator of the platform, the bot, its console, example rooms.

Nothing leaves this machine. Secrets are made up on the spot, and everything is removed at the end unless
`--folder` keeps it. The usual ports are taken where they are free, otherwise others.

Examples:

- `relay demo` — then open the address that it prints, and type as a customer
- `relay demo --lang en --folder my-demo` — in English; keeps bot.toml, database and logs
"""

LOOK = 0.2  # seconds between two looks at the programs
WIDEST = 92
#: What the check says of our own bot.toml: the simulator is asked without TLS, and never leaves this machine.
OURS = "configuration_warned count=1 codes=unwise first=platform.base_url"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Port = Annotated[
    int | None, typer.Option("--port", min=1, max=65535, help="The simulator's port.", show_default="8090")
]
BotPort = Annotated[
    int | None,
    typer.Option("--bot-port", min=1, max=65535, help="The port of the public door.", show_default="8080"),
]
ConsolePort = Annotated[
    int | None,
    typer.Option("--console-port", min=1, max=65535, help="The console's port.", show_default="8081"),
]


def demo(
    port: Port = None,
    bot_port: BotPort = None,
    console_port: ConsolePort = None,
    lang: Lang = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to put everything, and to keep it at the end.")
    ] = None,
) -> None:
    """The command; `HELP` explains it."""
    language = language_asked(lang)
    try:
        with _ends_in_order():
            _run(Setup(Ports.choose(port, bot_port, console_port), language), folder)
    except RefusalError as exc:
        exc.language = language
        raise


@contextlib.contextmanager
def _ends_in_order() -> Iterator[None]:
    """Turn every way of being told to end into the one that cleans up."""
    before = {number: signal.signal(number, _interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _run(setup: Setup, wanted: Path | None) -> None:
    show = Show(screen(), setup.language)
    children: list[Child] = []
    with demo_folder(wanted) as folder:
        try:
            _start(setup, folder, children, show)
            show.ready(setup, folder, kept=wanted is not None)
            _watch(children, show)
        except KeyboardInterrupt:
            show.say(texts.ENDING)
        finally:
            _end(children)
    show.say(texts.ENDED)


def _start(setup: Setup, folder: Path, children: list[Child], show: Show) -> None:
    """Start one after the other, each ready before the next."""
    with show.doing(texts.PREPARING):
        config = setup.write(folder)
    with show.doing(texts.STARTING_SIMULATOR):
        arguments = ["sim", "--host", HOST, "--port", str(setup.ports.simulator), "--lang", setup.language]
        simulator = Child(texts.THE_SIMULATOR, arguments, setup.simulator_environment(), folder / "sim.log")
        children.append(simulator)
        simulator.wait_until_ready(setup.page)
    with show.doing(texts.STARTING_BOT):
        arguments = ["run", "--config", str(config)]
        bot = Child(texts.BOT, arguments, setup.bot_environment(), folder / "bot.log")
        children.append(bot)
        bot.wait_until_ready(f"{setup.public}/readyz")
        bot.wait_until_ready(setup.console)


def _watch(children: list[Child], show: Show) -> None:
    """Stay until told to end; show warnings, and raise `RefusalError` if a program dies."""
    while True:
        for child in children:
            child.check()
            for warning in child.warnings():
                if not warning.endswith(OURS):
                    show.warn(warning)
        time.sleep(LOOK)


def _end(children: list[Child]) -> None:
    """End every program; a second Ctrl-C does not stop us from it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end()


class Show:
    """What the demo puts on the screen."""

    def __init__(self, console: Console, language: Language) -> None:
        self._console = console
        self._language: Language = language

    def _said(self, text: Text, **values: object) -> str:
        return text.said(self._language, **values)

    def say(self, text: Text) -> None:
        """One line."""
        self._console.print(self._said(text), style="dim")

    def warn(self, line: str) -> None:
        """Something that the bot's log warns of."""
        self._console.print(Styled(line, "yellow"), soft_wrap=True)

    @contextlib.contextmanager
    def doing(self, text: Text) -> Iterator[None]:
        """Show that something goes on, and then that it is done."""
        said = self._said(text)
        with self._console.status(f"{said} …"):
            yield
        self._console.print(Styled("✓ ", "green").append(said, "default"))

    def ready(self, setup: Setup, folder: Path, *, kept: bool) -> None:
        """The address to open, big, and what to do there."""
        address = Styled(f"{self._said(texts.OPEN)}\n\n  ", "bold")
        address.append(setup.page, "bold cyan underline")
        then = Styled(self._said(texts.DO), "bold")
        body = Group(address, Styled(), then, self._steps(), Styled(), self._facts(setup, folder, kept=kept))
        panel = Panel(
            body,
            title=Styled(f" {self._said(texts.READY)} ", "bold green"),
            subtitle=Styled(f" {self._said(texts.END)} ", "dim"),
            box=ROUNDED,
            padding=(1, 3),
            border_style="green",
            width=min(self._console.width, WIDEST),
        )
        self._console.print(panel)
        look = Styled(f"{self._said(texts.LOOK)}  ", "dim")
        command = f"{program()} status --config {shlex.quote(str(folder / 'bot.toml'))}"
        self._console.print(
            look.append(command, "not dim"), soft_wrap=True
        )  # outside, so that it can be copied

    def _steps(self) -> Table:
        steps = Table.grid(padding=(0, 1))
        for number, step in enumerate((texts.DO_MIRROR, texts.DO_PRICE, texts.DO_REFUND), 1):
            steps.add_row(Styled(f"  {number}.", "dim"), Styled(self._said(step)))
        return steps

    def _facts(self, setup: Setup, folder: Path, *, kept: bool) -> Table:
        fate = self._said(texts.KEPT if kept else texts.REMOVED)
        facts = Table.grid(padding=(0, 2))
        facts.add_row(Styled(self._said(texts.CONSOLE), "dim"), Styled(setup.console, "cyan"))
        facts.add_row(Styled(self._said(texts.PASSWORD), "dim"), Styled(setup.password))
        facts.add_row(Styled(self._said(texts.FOLDER), "dim"), Styled(str(folder)).append(fate, "dim"))
        return facts
