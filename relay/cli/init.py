"""`relay init`: the folder of a new bot."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.called import program
from relay.cli.screen import clean, screen
from relay.cli.sim import Lang, language_asked
from relay.errors import RefusalError
from relay.language import Language
from relay.routing import loader

HELP = """Write a new bot: bot.toml with every setting explained, plugins/, .env.example and .gitignore.

A folder that has a bot.toml stays as it is. The plugins that come with relay are written as copies for you to
change; without its copy, a plugin runs as it came.

Examples:

- `relay init my-bot` — then fill in my-bot/.env, and run it with `relay run --config my-bot/bot.toml`
- `relay init my-bot --lang en`
"""

IGNORED = (".env", "*.db", "*.db-*", "*.db.*", "__pycache__/")  # also journal, ballast and black box


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put it.")],
    lang: Lang = None,
) -> None:
    """The command; `HELP` explains it."""
    language = language_asked(lang)
    try:
        _write(folder, language)
    except RefusalError as exc:
        exc.language = language
        raise
    _tell(folder, language)


def _write(folder: Path, language: Language) -> None:
    if (folder / "bot.toml").exists():
        raise RefusalError(texts.BOT_THERE, texts.BOT_THERE_HINT, {"folder": folder}, exit_code=1)
    try:
        for path, text in _files(language).items():
            _write_new(folder / path, text)
    except OSError as exc:
        values = {"folder": folder, "reason": exc.strerror or type(exc).__name__}
        raise RefusalError(texts.FOLDER_BAD, texts.BOT_THERE_HINT, values, exit_code=1) from exc


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there; what somebody has there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(text, "utf-8")


def _files(language: Language) -> dict[str, str]:
    """Every file of a new bot; bot.toml comes last, so that a broken attempt can be repeated."""
    starter = resources.files("relay.cli").joinpath("starter")
    copied = texts.COPIED_PLUGIN.said(language)
    plugins = {
        f"plugins/{path.name}": f"# {copied}\n{path.read_text('utf-8')}"
        for path in sorted(loader.shipped_folder().glob("[!_]*.py"))
    }
    return {
        ".gitignore": "".join(f"{pattern}\n" for pattern in IGNORED),
        ".env.example": starter.joinpath(f"env.{language}").read_text("utf-8"),
        **plugins,
        "bot.toml": starter.joinpath(f"bot.{language}.toml").read_text("utf-8"),
    }


def _tell(folder: Path, language: Language) -> None:
    console = screen()
    console.print(
        Styled("✓ ", "green").append(texts.WRITTEN.said(language, folder=clean(str(folder))), "default")
    )
    environment, config = (shlex.quote(str(folder / name)) for name in (".env", "bot.toml"))
    steps = (
        (texts.STEP_FILL, f"cp {environment}.example {environment}"),
        (texts.STEP_CHECK, f"{program()} check --config {config}"),
        (texts.STEP_RUN, f"{program()} run --config {config}"),
    )
    for number, (step, command) in enumerate(steps, 1):
        console.print(f"\n{number}. {step.said(language)}")
        console.print(Styled(f"   {command}", "cyan"), soft_wrap=True)
