"""What the demo is made of: ports, secrets made up on the spot, and a folder as a real bot has it."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import string
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relay.cli import texts
from relay.cli.ports import CONSOLE_PORT, HOST, PUBLIC_PORT, SIMULATOR_PORT, any_free, chosen
from relay.errors import RefusalError
from relay.language import Language
from relay.simulator.demo_world import EAST, INSIDE, NORTH, SOUTH

LETTERS = string.ascii_letters + string.digits
APP_ID = "demo"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where simulator, public door and console listen; each another one."""

    simulator: int
    public: int
    console: int

    @classmethod
    def choose(cls, simulator: int | None, public: int | None, console: int | None) -> Ports:
        """Those given, which must be free; else the usual ones, or any others where they are taken."""
        found = [
            chosen(simulator, SIMULATOR_PORT, "--port"),
            chosen(public, PUBLIC_PORT, "--bot-port"),
            chosen(console, CONSOLE_PORT, "--console-port"),
        ]
        for index, given in enumerate((simulator, public, console)):
            while given is None and found.count(found[index]) > 1:
                found[index] = any_free()
        return cls(*found)


def _token() -> str:
    return secrets.token_urlsafe(24)


def _aes_key() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(32))


def _password() -> str:
    """Short enough to type from the screen: 12 letters and digits, 71 bits."""
    return "".join(secrets.choice(LETTERS) for _ in range(12))


@dataclass(frozen=True, slots=True)
class Setup:
    """One demo."""

    ports: Ports
    language: Language
    app_secret: str = field(default_factory=_token, repr=False)
    aes_key: str = field(default_factory=_aes_key, repr=False)
    callback_secret: str = field(default_factory=_token, repr=False)
    password: str = field(default_factory=_password, repr=False)

    @property
    def page(self) -> str:
        """Where a person plays the customers."""
        return f"http://{HOST}:{self.ports.simulator}/"

    @property
    def console(self) -> str:
        """The private door."""
        return f"http://{HOST}:{self.ports.console}/"

    @property
    def public(self) -> str:
        """The public door."""
        return f"http://{HOST}:{self.ports.public}"

    def bot_environment(self) -> dict[str, str]:
        """The variables that the demo's bot.toml asks for."""
        return {
            "RELAY_APP_SECRET": self.app_secret,
            "RELAY_AES_KEY": self.aes_key,
            "RELAY_CALLBACK_SECRET": self.callback_secret,
            "RELAY_CONSOLE_PASSWORD": self.password,
        }

    def simulator_environment(self) -> dict[str, str]:
        """The same secrets, as `relay sim` takes them."""
        return {
            "RELAY_SIM_APP_ID": APP_ID,
            "RELAY_SIM_APP_SECRET": self.app_secret,
            "RELAY_SIM_KEY": self.aes_key,
            "RELAY_SIM_CALLBACK_URL": f"{self.public}/callback/{self.callback_secret}",
        }

    def write(self, folder: Path) -> Path:
        """Write bot.toml, .env and plugins/ and return the bot.toml."""
        (folder / "plugins").mkdir(exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in self.bot_environment().items()]
        environment = folder / ".env"
        environment.touch(0o600)
        environment.write_text("".join(lines), "utf-8")
        config = folder / "bot.toml"
        config.write_text(self._toml(), "utf-8")
        return config

    def _toml(self) -> str:
        return TOML.format(
            language=self.language,
            base_url=self.page.rstrip("/"),
            app_id=APP_ID,
            host=HOST,
            public=self.ports.public,
            console=self.ports.console,
            east=EAST,
            south=SOUTH,
            north=NORTH,
            inside=INSIDE,
            price=json.dumps(texts.PRICE.said(self.language), ensure_ascii=False),
            service=json.dumps(texts.SERVICE.said(self.language), ensure_ascii=False),
        )


TOML = """\
# relay 演示配置，由 relay demo 生成；密码和密钥在 .env 里。
# The demo's configuration, written by `relay demo`; the secrets are in .env.

[bot]
language = "{language}"

[platform]
base_url = "{base_url}"
app_id = "{app_id}"
app_secret = "${{RELAY_APP_SECRET}}"
encoding_aes_key = "${{RELAY_AES_KEY}}"

[server]
host = "{host}"
port = {public}
callback_path = "/callback/${{RELAY_CALLBACK_SECRET}}"

[console]
host = "{host}"
port = {console}
password = "${{RELAY_CONSOLE_PASSWORD}}"

[delivery]
confirm_after = "5s"

[chats]
east = "{east}"
south = "{south}"
north = "{north}"
service = "{inside}"
customers = ["east", "south", "north"]

# 三个客户群互相同步。 What is said in one customer room is mirrored to the others.
[[plugins.group_mirror.routes]]
name = "customers"
between = ["customers"]

[[plugins.keyword_reply.rules]]
name = "price"
contains = ["价格", "报价", "price"]
chats = ["customers"]
reply = {price}

# 投诉和退款：回复，并转到内部群。 Complaints and refunds: answer, and forward to the service team.
[[plugins.keyword_reply.rules]]
name = "service"
contains = ["投诉", "退款", "complaint", "refund"]
chats = ["customers"]
reply = {service}
forward_to = ["service"]
"""


@contextlib.contextmanager
def demo_folder(wanted: Path | None) -> Iterator[Path]:
    """The folder given, which stays; else a new one that nobody else can read, removed at the end."""
    if wanted is not None:
        yield _prepared(wanted)
        return
    folder = Path(tempfile.mkdtemp(prefix="relay-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path) -> Path:
    if (folder / "bot.toml").exists():
        raise RefusalError(texts.FOLDER_TAKEN, texts.FOLDER_TAKEN_HINT, {"folder": folder})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        values = {"folder": folder, "reason": exc.strerror or type(exc).__name__}
        raise RefusalError(texts.FOLDER_BAD, texts.FOLDER_TAKEN_HINT, values, exit_code=1) from exc
    return folder.absolute()
