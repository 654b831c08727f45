"""`relay sim`: the platform's simulator, alone."""

from __future__ import annotations

import asyncio
import os
import signal
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.parent import WithParent, end_with_parent
from relay.cli.ports import HOST, SIMULATOR_PORT, refuse_taken
from relay.cli.screen import screen
from relay.errors import RefusalError
from relay.language import Language, language_of
from relay.simulator.settings import SimulatorSettings
from relay.wire.crypto import parse_key

HELP = """Run the simulator alone: the platform's API, and a page where you play the customers.

Everything in it is made up and forgotten at the end. The environment variables named below keep secrets
out of the list of processes.

Examples:

- `relay sim`
- `relay sim --port 8090 --callback-url http://127.0.0.1:8080/callback/…` — for a bot that runs here
- `relay sim --lang en`
"""

Lang = Annotated[
    str | None, typer.Option("--lang", metavar="zh|en", help="Chinese or English; by default, as LANG says.")
]
DEFAULTS = SimulatorSettings()


def sim(
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = SIMULATOR_PORT,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = HOST,
    callback_url: Annotated[
        str | None,
        typer.Option(
            "--callback-url", envvar="RELAY_SIM_CALLBACK_URL", help="Where the bot takes callbacks."
        ),
    ] = None,
    lang: Lang = None,
    app_id: Annotated[
        str, typer.Option("--app-id", envvar="RELAY_SIM_APP_ID", help="The app_id that it knows.")
    ] = DEFAULTS.app_id,
    app_secret: Annotated[
        str,
        typer.Option(
            "--app-secret", envvar="RELAY_SIM_APP_SECRET", show_default=False, help="And its app_secret."
        ),
    ] = DEFAULTS.app_secret,
    key: Annotated[
        str,
        typer.Option(
            "--key", envvar="RELAY_SIM_KEY", show_default=False, help="The encoding_aes_key of callbacks."
        ),
    ] = DEFAULTS.key.decode(),
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
    )
    if with_parent:
        end_with_parent()
    else:
        _introduce(settings, key, language)
    _serve(settings)


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


def _serve(settings: SimulatorSettings) -> None:
    """Serve until Ctrl-C or SIGTERM, and end with 0: the server raises the signal again when it is done."""
    from relay.simulator import demo_world  # the whole simulator; no other command needs it
    from relay.simulator.app import create_simulator, serve

    simulator = create_simulator(settings)
    demo_world.fill(simulator.world, settings.language)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    asyncio.run(serve(simulator))


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
