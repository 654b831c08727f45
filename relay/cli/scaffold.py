"""`relay plugins new`: a plugin and its test, both of which run as they are."""

from __future__ import annotations

import contextlib
import importlib.util
import keyword
import re
import shlex
import sys
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.text import Text as Styled

from relay.cli.called import program
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json
from relay.cli.screen import clean, print_json, screen
from relay.cli.sim import language_asked
from relay.config import load
from relay.config.problems import key_path
from relay.errors import ConfigurationError, RefusalError
from relay.language import Language, Text
from relay.routing import loader

HELP = """Write a new plugin and its test into the bot's plugin folder; both run as they are.

NAME is what the plugin is called: its file is `NAME.py`, its test `test_NAME.py`, its table in bot.toml
`[plugins.NAME]`. Nothing that is there is changed. A bot that runs takes the plugin up at once; it answers
only to the word `#NAME`.

Examples:

- `relay plugins new greeter` — answers a word, and counts how often
- `relay plugins new orders --kind conversation` — asks, and waits for the answer
- `relay plugins new report --kind timer --lang en` — says something every day
- `relay plugins new faq --kind faq` — one of the examples that come with relay, useful as it is: `admin`,
  `assistant`, `daily_report`, `faq`, `questionnaire`, `staff_room`, `webhook`
"""

KINDS = ("reply", "conversation", "timer")

BAD_NAME = Text("「{name}」不能做插件名", "`{name}` cannot be the name of a plugin")
IDENTIFIER = Text(
    "要像变量名：字母、数字、下划线，不以数字开头，也不是 Python 关键字{near}",
    "a name is what Python takes for one: letters, digits, underscores, no digit first, no keyword{near}",
)
NEAR = Text("；例如 {near}", "; such as {near}")
NO_PLUGIN_FILE = Text(
    "以 _ 或 test_ 开头的文件不是插件", "files whose names begin with _ or test_ are not plugins"
)
RESERVED = Text(
    "bot.toml 的 [plugins] 里已经用了这个词：{words}", "[plugins] of bot.toml uses these words: {words}"
)
SHIPPED = Text(
    "这是 relay 自带的插件；想改它，复制 {file} 到 {folder}/",
    "relay comes with a plugin of that name; to change it, copy {file} into {folder}/",
)
OF_PYTHON = Text(
    "Python 有同名的模块，测试时会互相遮住；换个名字，例如 {name}_plugin",
    "Python has a module of that name, and in tests one would hide the other; take {name}_plugin, say",
)
TAKEN = Text("已经有 {file}", "there is {file} already")
TAKEN_HINT = Text("换个名字；已有的文件不会动", "take another name; what is there stays as it is")
NO_KIND = Text("没有「{kind}」这种模板", "there is no kind `{kind}`")
KINDS_HINT = Text("可用：{kinds}", "there are: {kinds}")
NO_BOT = Text("没有 {file}", "there is no {file}")
NO_BOT_HINT = Text(
    "到机器人的文件夹里运行，或用 --config 指出 bot.toml；relay init 新建一个机器人",
    "run it in the bot's folder, or name its bot.toml with --config; `relay init` makes a new bot",
)
NOT_WRITTEN = Text("写不了 {file}：{reason}", "{file} cannot be written: {reason}")
WRITABLE_HINT = Text("检查文件夹的权限", "look at the folder's permissions")
STEP_TEST = Text("运行它的测试：", "Run its test:")
STEP_PYTEST = Text("先装 pytest，再运行它的测试：", "Install pytest, and run its test:")
STEP_TRY = Text("看机器人会怎么做（什么都不会发出）：", "See what the bot would do (nothing is sent):")
STEP_TABLE = Text(
    "在 bot.toml 里写上 [plugins.{name}]；写法见 {readme}",
    "Write [plugins.{name}] into bot.toml, as {readme} shows",
)
STEP_EDIT = Text(
    "改 {file}：正在运行的机器人两秒内就会用上。", "Change {file}: a bot that runs has it within 2 seconds."
)

Lang = Annotated[
    str | None, typer.Option("--lang", metavar="zh|en", help="Chinese or English; by default, the bot's.")
]
Kind = Annotated[
    str,
    typer.Option(
        "--kind", metavar="|".join(KINDS), help="What it begins as: one of these, or the name of an example."
    ),
]


@dataclass(frozen=True, slots=True)
class Home:
    """Where the plugins of a bot live, and what it speaks."""

    folder: Path
    language: Language


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the plugin is called.")],
    config: ConfigPath = DEFAULT_CONFIG,
    kind: Kind = KINDS[0],
    lang: Lang = None,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    path = _config_asked(context, config)
    language = language_asked(lang)
    try:
        home = _home(path, language)
        language = home.language if lang is None else language
        files = write(home.folder, name, kind, language)
    except RefusalError as exc:
        exc.language = language
        raise
    if json:
        print_json({"name": name, "plugin": str(files[0]), "test": str(files[1])})
    else:
        _tell(files, name, path, language, table=kind not in KINDS)


def _config_asked(context: typer.Context, config: Path) -> Path:
    """`--config` may stand before `new`, too."""
    before = context.parent.params.get("config") if context.parent else None
    return before if config == DEFAULT_CONFIG and isinstance(before, Path) else config


def _home(path: Path, language: Language) -> Home:
    """What bot.toml says of it, also where something else in it is not right yet."""
    if not path.is_file():
        raise RefusalError(NO_BOT, NO_BOT_HINT, {"file": path}, exit_code=2)
    with contextlib.suppress(ConfigurationError):
        config = load(path)
        return Home(config.plugins.folder, config.bot.language)
    read: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        read = tomllib.loads(path.read_text("utf-8"))
    folder, spoken = (_said(read, *keys) for keys in (("plugins", "folder"), ("bot", "language")))
    return Home(path.parent / (folder or "plugins"), spoken if spoken in get_args(Language) else language)  # type: ignore[arg-type] # it is one of them


def _said(read: dict[str, Any], table: str, key: str) -> str:
    value = read.get(table, {}).get(key, "") if isinstance(read.get(table, {}), dict) else ""
    return value if isinstance(value, str) and "$" not in value else ""


def write(folder: Path, name: str, kind: str, language: Language) -> tuple[Path, Path]:
    """Write plugin and test; raises `RefusalError` and leaves everything as it is where that cannot be."""
    kinds = (*KINDS, *examples())
    if kind not in kinds:
        raise RefusalError(NO_KIND, KINDS_HINT, {"kind": kind, "kinds": ", ".join(kinds)})
    _refuse_name(folder, name)
    plugin, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for there in (plugin, folder / name, test, *_alike(folder, plugin)):
        if there.exists():
            raise RefusalError(TAKEN, TAKEN_HINT, {"file": there}, exit_code=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        test.write_text(template(f"test_{kind}", name, language), "utf-8")
        _write_at_once(plugin, template(kind, name, language))
    except OSError as exc:
        values = {"file": exc.filename or plugin, "reason": exc.strerror or type(exc).__name__}
        raise RefusalError(NOT_WRITTEN, WRITABLE_HINT, values, exit_code=1) from exc
    return plugin, test


def _refuse_name(folder: Path, name: str) -> None:
    """`RefusalError` with what is wrong with the name."""
    if not name.isidentifier() or keyword.iskeyword(name):
        near = re.sub(r"\W+", "_", name).strip("_")
        fits = near.isidentifier() and not keyword.iskeyword(near)
        raise RefusalError(
            BAD_NAME, IDENTIFIER, {"name": name, "near": NEAR.filled(near=near) if fits else ""}
        )
    if name.startswith(("_", "test_")):
        raise RefusalError(BAD_NAME, NO_PLUGIN_FILE, {"name": name})
    if name in loader.RESERVED:
        raise RefusalError(BAD_NAME, RESERVED, {"name": name, "words": ", ".join(sorted(loader.RESERVED))})
    shipped = loader.shipped_folder() / f"{name}.py"
    if shipped.is_file():
        raise RefusalError(BAD_NAME, SHIPPED, {"name": name, "file": shipped, "folder": folder.name})
    if name in sys.stdlib_module_names or name in ("relay", "pytest", "conftest"):
        raise RefusalError(BAD_NAME, OF_PYTHON, {"name": name})


def _alike(folder: Path, plugin: Path) -> list[Path]:
    """Files that some file systems take for this one."""
    if not folder.is_dir():
        return []
    return [each for each in folder.iterdir() if each.name.casefold() == plugin.name.casefold()]


def _write_at_once(path: Path, text: str) -> None:
    """A bot that runs sees the whole file, or none; what is not called `.py` it does not look at."""
    unfinished = path.with_name(f"_{path.name}.new")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


def examples() -> list[str]:
    """The plugins in `plugins/_examples`, which come with relay."""
    return sorted(path.stem for path in _examples().glob("[!_]*.py") if not path.name.startswith("test_"))


def _examples() -> Path:
    return loader.shipped_folder() / "_examples"


def template(kind: str, name: str, language: Language) -> str:
    """What is written, for a plugin of this name; `test_` before the kind is for its test."""
    if (example := kind.removeprefix("test_")) not in KINDS:
        text = (_examples() / f"{kind}.py").read_text("utf-8")
        named = re.sub(rf'\b(Plugin|Bench)\("{example}"', rf'\1("{name}"', text)
        return named.replace(f"[plugins.{example}]", f"[{key_path(('plugins', name))}]")
    file = resources.files("relay.cli").joinpath("starter", "plugins", f"{kind}.{language}.txt")
    return file.read_text("utf-8").replace("NAME", name).replace("KEY", key_path((name,)))


def _tell(files: tuple[Path, Path], name: str, config: Path, language: Language, *, table: bool) -> None:
    console = screen()
    for file in files:
        console.print(Styled("✓ ", "green").append(clean(str(_near(file))), "default"), soft_wrap=True)
    plugin, test = (shlex.quote(str(_near(file))) for file in files)
    python = shlex.quote(_near_python())
    has_pytest = importlib.util.find_spec("pytest") is not None
    at = "" if config == DEFAULT_CONFIG else f" --config {shlex.quote(str(config))}"
    said = f'{program()} try "#{name}" --chat R:10950000000000001 --sender 7881300000000001{at}'
    steps = (
        (
            (STEP_TEST if has_pytest else STEP_PYTEST).said(language),
            *([] if has_pytest else [f"{python} -m pip install pytest"]),
            f"{python} -m pytest {test}",
        ),
        (STEP_TABLE.said(language, name=name, readme=_examples() / "README.md"),)
        if table
        else (STEP_TRY.said(language), said),
        (STEP_EDIT.said(language, file=plugin),),
    )
    for number, (step, *commands) in enumerate(steps, 1):
        console.print(f"\n{number}. {clean(step)}", soft_wrap=True, highlight=False)
        for command in commands:
            console.print(Styled(f"   {command}", "cyan"), soft_wrap=True)


def _near(path: Path) -> Path:
    """The path as somebody here would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _near_python() -> str:
    """The Python that has relay."""
    python = Path(sys.executable)
    return str(_near(python))
