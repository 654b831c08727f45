"""A bot to measure: its folder, its configuration, and its processes."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from benchmarks.harness import ROOT, free_port, running, until

KEY = b"0123456789abcdef0123456789abcdef"
PATH = "/callback/a-path-for-benchmarks"
WORD = "price"
REPLY = "100 yuan: {text}"

TOML = """
[bot]
language = "en"
[platform]
base_url = "http://127.0.0.1:{platform}"
app_id = "bench"
app_secret = "a-secret-for-benchmarks"
encoding_aes_key = "{key}"
accounts = [{accounts}]
[server]
port = {public}
callback_path = "{path}"
[console]
port = {private}
password = "a-password-for-benchmarks"
[delivery]
per_minute = 500
[plugins]
timeout = "5s"
{more}
[[plugins.keyword_reply.rules]]
name = "the price"
contains = ["{word}"]
reply = "{reply}"
"""


@dataclass(frozen=True, slots=True)
class Bot:
    """A folder with a bot.toml, and the ports that it names."""

    folder: Path
    public: int
    private: int

    @property
    def config(self) -> Path:
        """Its bot.toml."""
        return self.folder / "bot.toml"

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.folder / "relay.db"

    def received(self) -> int:
        """How many messages its database has ever taken."""
        connection = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            return int(str(connection.execute("SELECT coalesce(max(id), 0) FROM messages").get))
        finally:
            connection.close()

    async def taken_in(self, several: int) -> float:
        """Wait until it has taken so many, and return how many seconds that took."""
        began = time.monotonic()

        async def all_there() -> bool:
            return self.received() >= several

        await until(all_there)
        return time.monotonic() - began

    def log(self) -> str:
        """The end of what it said, for whoever wonders why it failed."""
        return (self.folder / "bot.log").read_text("utf-8", "replace")[-3000:]

    @contextlib.contextmanager
    def run(self, role: str = "all") -> Iterator[subprocess.Popen[bytes]]:
        """`relay run`, or one role of it, ended with the block."""
        words = ("relay", "run", "--role", role, "--config", str(self.config))
        with running(*words, log=self.folder / "bot.log") as process:
            yield process


@contextlib.contextmanager
def bot(accounts: Sequence[str], *, platform: int = 9, more: str = "") -> Iterator[Bot]:
    """A new bot on the disk that this copy lies on, removed with the block; `more` goes into its bot.toml."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        made = Bot(Path(folder), free_port(), free_port())
        listed = ", ".join(f'"{account}"' for account in accounts)
        text = TOML.format(
            platform=platform,
            key=KEY.decode(),
            accounts=listed,
            public=made.public,
            private=made.private,
            path=PATH,
            word=WORD,
            reply=REPLY,
            more=more,
        )
        made.config.write_text(text, "utf-8")
        yield made


def accounts(count: int) -> list[str]:
    """So many accounts of ours."""
    return [str(1_688_850_000_000_000 + number) for number in range(count)]


def rooms(count: int) -> list[str]:
    """So many rooms."""
    return [f"R:{10_950_000_000_000_000 + number}" for number in range(count)]
