"""`relay sim`: the platform's simulator, alone."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.parent import WithParent, end_with_parent
from relay.cli.ports import HOST, SIMULATOR_PORT, refuse_taken
from relay.cli.screen import screen
from relay.errors import RefusalError
from relay.language import Language, language_of
from relay.simulator.settings import SERVED_KEEPS, SimulatorSettings
from relay.wire.crypto import parse_key

if TYPE_CHECKING:
    from relay.simulator.app import Simulator

HELP = """Run the simulator alone: the platform's API, and a page where you play the customers.

Everything in it is made up and forgotten at the end. The environment variables named below keep secrets
out of the list of processes.

Examples:

- `relay sim`
- `relay sim --port 8090 --callback-url http://127.0.0.1:8080/callback/…` — for a bot that runs here
- `relay sim --lang en`
- `relay sim --record session.jsonl`, and later `relay sim --replay session.jsonl --speed 10`
"""

Lang = Annotated[
    str | None, typer.Option("--lang", metavar="zh|en", help="Chinese or English; by default, as LANG says.")
]
Port = Annotated[int, typer.Option("--port", help="The port to listen on.")]
Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
CallbackUrl = Annotated[
    str | None,
    typer.Option("--callback-url", envvar="RELAY_SIM_CALLBACK_URL", help="Where the bot takes callbacks."),
]
AppId = Annotated[str, typer.Option("--app-id", envvar="RELAY_SIM_APP_ID", help="The app_id that it knows.")]
AppSecret = Annotated[
    str,
    typer.Option(
        "--app-secret", envvar="RELAY_SIM_APP_SECRET", show_default=False, help="And its app_secret."
    ),
]
Key = Annotated[
    str,
    typer.Option(
        "--key", envvar="RELAY_SIM_KEY", show_default=False, help="The encoding_aes_key of callbacks."
    ),
]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Write down what you do, to be replayed.")
]
Replay = Annotated[
    Path | None, typer.Option("--replay", metavar="FILE", help="Do again what such a file says.")
]
Speed = Annotated[float, typer.Option("--speed", help="So many times as fast as it was recorded.")]
DEFAULTS = SimulatorSettings()
DEFAULT_KEY = DEFAULTS.key.decode()


@dataclass(frozen=True, slots=True)
class Session:
    """What is written down, and what is done again."""

    record: Path | None
    replay: Path | None
    speed: float


def sim(
    port: Port = SIMULATOR_PORT,
    host: Host = HOST,
    callback_url: CallbackUrl = None,
    lang: Lang = None,
    app_id: AppId = DEFAULTS.app_id,
    app_secret: AppSecret = DEFAULTS.app_secret,
    key: Key = DEFAULT_KEY,
    record: Record = None,
    replay: Replay = None,
    speed: Speed = 1.0,
    with_parent: WithParent = False,
) -> None:
    """The command; `HELP` explains it."""
    language = language_asked(lang)
    refuse_taken(host, port, "--port")
    settings = SimulatorSettings(
        app_id=app_id,
        app_secret=app_secret,
        key=_key(key),
        callback_url=callback_url,
        language=language,
        host=host,
        port=port,
        keep=SERVED_KEEPS,
    )
    if with_parent:
        end_with_parent()
    else:
        _introduce(settings, key, language)
    _serve(settings, Session(record, replay, speed))


def language_asked(lang: str | None) -> Language:
    """The language given, or the one that the environment speaks."""
    if lang is None:
        return language_of(os.environ)
    if lang not in ("zh", "en"):
        raise typer.BadParameter(f"{lang!r} is not one of zh, en", param_hint="--lang")
    return "zh" if lang == "zh" else "en"


def _key(key: str) -> bytes:
    try:
        return parse_key(key)
    except ValueError as exc:
        raise RefusalError(texts.BAD_KEY) from exc


def _introduce(settings: SimulatorSettings, key: str, language: Language) -> None:
    console = screen()
    url = f"http://{settings.host}:{settings.port}"
    console.print(Styled(texts.SIMULATOR.said(language) + "  ", "bold").append(f"{url}/", "bold cyan"))
    console.print(texts.SIMULATOR_OPEN.said(language))
    console.print()
    console.print(texts.SIMULATOR_BOT.said(language))
    lines = (
        "[platform]",
        f'base_url = "{url}"',
        f'app_id = "{settings.app_id}"',
        f'app_secret = "{settings.app_secret}"',
        f'encoding_aes_key = "{key}"',
    )
    for line in lines:
        console.print(Styled(f"  {line}", "dim"), soft_wrap=True)
    callback = texts.SIMULATOR_PUSHES if settings.callback_url else texts.SIMULATOR_CALLBACK
    console.print(callback.said(language))


def _serve(settings: SimulatorSettings, session: Session) -> None:
    """Serve until Ctrl-C or SIGTERM, and end with 0: the server raises the signal again when it is done."""
    from relay.simulator import demo_world  # the whole simulator; no other command needs it
    from relay.simulator.app import create_simulator

    simulator = create_simulator(settings)
    if session.replay is None:  # a recording brings a world of its own
        demo_world.fill(simulator.world, settings.language)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    asyncio.run(_served(simulator, session))


async def _served(simulator: Simulator, session: Session) -> None:
    from relay.simulator.app import serve

    try:
        if session.record is not None:
            simulator.record(session.record)
        if session.replay is not None:
            simulator.replay(session.replay, session.speed)
    except (OSError, ValueError) as exc:  # a RecordingError is one of these
        raise RefusalError(texts.BAD_RECORDING, values={"problem": exc}) from exc
    await serve(simulator)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
