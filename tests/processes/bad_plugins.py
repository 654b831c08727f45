"""Plugins that do all they can to spoil things for others, once a message has the word for it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

WORD = "poison"

FRAME = """
import asyncio, ctypes, multiprocessing, os, re, signal, subprocess, sys, threading, time

from relay import Plugin, Reply

plugin = Plugin("bad")


async def spin():
    while True:
        pass


def burn():
    until = time.monotonic() + 25
    while time.monotonic() < until:
        pass


@plugin.on_message(types=["text"])
{kind} handle(message, ctx):
    if "{word}" not in message.text:
        return None
{body}
"""
IN_LOOP, IN_THREAD = "async def", "def"
DIES, HANGS, FAILS, HARMLESS = "dies", "hangs", "fails", "harmless"


@dataclass(frozen=True, slots=True)
class BadPlugin:
    """What its handler does, where it runs, and how that ends for router and message."""

    name: str
    body: str
    ends: str
    kind: str = IN_LOOP

    @property
    def source(self) -> str:
        """The plugin's file."""
        return FRAME.format(kind=self.kind, word=WORD, body=indent(self.body, "    "))


PATTERN = 're.match(r"(a+)+$", "a" * 40 + "b")'
BURN = '"import time; until = time.monotonic() + 25\\nwhile time.monotonic() < until: pass"'

MENAGERIE = (
    BadPlugin("busy loop", "while True:\n    pass", HANGS),
    BadPlugin("busy loop in a thread", "while True:\n    pass", FAILS, IN_THREAD),
    BadPlugin("busy loop in a task of its own", "asyncio.create_task(spin())\nawait asyncio.sleep(9)", HANGS),
    BadPlugin("catastrophic pattern", PATTERN, HANGS),
    BadPlugin("catastrophic pattern in a thread", PATTERN, HANGS, IN_THREAD),
    BadPlugin("sleep in the loop", "time.sleep(20)", HANGS),
    BadPlugin("sleep in a thread", "time.sleep(20)", FAILS, IN_THREAD),
    BadPlugin("two gigabytes", "return bytes(2 << 30) + b'x'", FAILS),
    BadPlugin("ever more memory", "all = []\nwhile True:\n    all.append('x' * 10**6)", FAILS, IN_THREAD),
    BadPlugin(
        "four busy programs",
        f"for _ in range(4):\n    subprocess.Popen([sys.executable, '-c', {BURN}])",
        HARMLESS,
    ),
    BadPlugin(
        "four busy forks",
        "for _ in range(4):\n    multiprocessing.get_context('fork').Process(target=burn).start()",
        HARMLESS,
    ),
    BadPlugin("os._exit", "os._exit(3)", DIES),
    BadPlugin("os._exit in a thread", "os._exit(0)", DIES, IN_THREAD),
    BadPlugin("segmentation fault", "ctypes.string_at(0)", DIES),
    BadPlugin("segmentation fault in a thread", "ctypes.string_at(0)", DIES, IN_THREAD),
    BadPlugin("killing itself", "os.kill(os.getpid(), signal.SIGKILL)", DIES),
    BadPlugin("closing every file", "os.closerange(3, 4096)", DIES),
    BadPlugin(
        "100 MB to stderr", "for _ in range(10**5):\n    sys.stderr.write('x' * 999 + '\\n')", HARMLESS
    ),
    BadPlugin(
        "threads without end",
        "while True:\n    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        FAILS,
    ),
    BadPlugin("waiting for ever", "await asyncio.Event().wait()", FAILS),
    BadPlugin(
        "ignoring that it is cancelled",
        "while True:\n    try:\n        await asyncio.sleep(1)\n    except BaseException:\n        pass",
        FAILS,
    ),
    BadPlugin("decisions without end", "return [Reply('x')] * 10**7", FAILS),
    BadPlugin("recursion without end", "def deeper():\n    deeper()\ndeeper()", FAILS),
    BadPlugin("sys.exit", "sys.exit(1)", FAILS),
    BadPlugin("interrupting", "raise KeyboardInterrupt", FAILS),
    BadPlugin("cancelling itself", "raise asyncio.CancelledError", FAILS),
    BadPlugin(
        "deaf to signals",
        "for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):\n"
        "    signal.signal(each, signal.SIG_IGN)",
        HARMLESS,
    ),
)
"""All but what asks for the operator's own rights: a plugin that kills other processes of the bot can."""


def named(*names: str) -> list[BadPlugin]:
    """Some of them."""
    return [each for each in MENAGERIE if each.name in names]
