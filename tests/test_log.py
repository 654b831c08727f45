"""Logs say what happened, and never a secret."""

from __future__ import annotations

import errno
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from relay.config import load
from relay.log import Masking, configure

SECRET = 'pa"ss\\w€rd/+1'


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


Logged = Callable[..., str]


@pytest.fixture(params=["json", "people", "colour"])
def logged(request: pytest.FixtureRequest) -> Logged:
    """What an action writes to the log, in each of its three forms."""

    def logged(action: Callable[[], object], *secrets: str) -> str:
        stream = StringIO()
        form = request.param
        configure("debug", colour=form == "colour", secrets=secrets, json=form == "json", stream=stream)
        action()
        return stream.getvalue()

    return logged


def lines(action: Callable[[], object], *secrets: str, level: str = "info") -> list[dict[str, object]]:
    stream = StringIO()
    configure(level, colour=False, secrets=secrets, json=True, stream=stream)
    action()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_event_with_fields_and_a_time_in_utc() -> None:
    (line,) = lines(lambda: structlog.get_logger("relay.sender").info("delivered", delivery="d1", attempt=2))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", str(line.pop("time")))
    assert line == {
        "event": "delivered",
        "delivery": "d1",
        "attempt": 2,
        "level": "info",
        "logger": "relay.sender",
    }


def test_libraries_speak_through_the_same_chain() -> None:
    (line,) = lines(lambda: logging.getLogger("uvicorn.error").warning("slow %s", "client"))
    assert (line["event"], line["level"], line["logger"]) == ("slow client", "warning", "uvicorn.error")
    assert "time" in line


def test_what_is_below_the_level_is_not_written() -> None:
    def act() -> None:
        structlog.get_logger().info("quiet")
        logging.getLogger("aiohttp").info("quiet")
        structlog.get_logger().warning("loud")

    assert [line["event"] for line in lines(act, level="warning")] == ["loud"]


def test_fields_bound_to_the_context_are_on_every_line() -> None:
    with structlog.contextvars.bound_contextvars(role="router"):
        (line,) = lines(lambda: logging.getLogger("asyncio").error("oops"))
    assert line["role"] == "router"


def _raise_with(secret: str) -> None:
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        structlog.get_logger().exception("failed")


def _warn_library(secret: str) -> None:
    try:
        raise OSError(secret)
    except OSError:
        logging.getLogger("aiohttp").warning("no %s", secret, exc_info=True)


def _crash(secret: str) -> None:
    try:
        raise RuntimeError(secret)
    except RuntimeError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)


ACTIONS: list[Callable[[str], object]] = [
    lambda s: structlog.get_logger().info("event", field=s),
    lambda s: structlog.get_logger().info("event", **{s: 1}),
    lambda s: structlog.get_logger().info(f"event {s}"),
    lambda s: structlog.get_logger().info("event", deep={"a": [("x", s)], s: {1: s}}),
    lambda s: structlog.get_logger().info("event", thing=Path("/x") / s, error=ValueError(s)),
    lambda s: structlog.get_logger(s).info("event"),
    lambda s: structlog.get_logger().bind(bound=s).info("event"),
    lambda s: logging.getLogger("uvicorn").error("got %r", s),
    lambda s: logging.getLogger("uvicorn").error(json.dumps({"got": s})),
    lambda s: logging.getLogger("uvicorn").error("%d", s),
    _raise_with,
    _warn_library,
    _crash,
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("secret", ["s3cret-s3cret", SECRET, "0123456789"])
def test_no_secret_is_written_wherever_it_stands(
    logged: Logged, action: Callable[[str], object], secret: str
) -> None:
    output = logged(lambda: action(secret), secret)
    assert output
    assert secret not in output
    assert json.dumps(secret)[1:-1] not in output
    assert repr(secret)[1:-1] not in output


def test_a_secret_number_is_masked(logged: Logged) -> None:
    output = logged(lambda: structlog.get_logger().info("event", n=123456), "123456")
    assert "123456" not in output


def test_of_two_secrets_the_longer_is_masked_whole() -> None:
    assert Masking(["/callback/abcd", "abcd", "/callback/abcdefgh"]).text("at /callback/abcdefgh") == "at ***"


def test_very_short_secrets_do_not_eat_letters_out_of_words() -> None:
    assert Masking(["a", "", "abc"]).text("abacus") == "abacus"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=4), st.text())
def test_masked_text_does_not_hold_the_secret(secret: str, around: str) -> None:
    masking = Masking([secret])
    assert masking.text(f"<{secret}>") == "<***>"
    assert secret not in masking.text(f"{around}{secret}{around}")


def test_a_line_that_cannot_be_formatted_is_told_of_without_its_contents() -> None:
    (line,) = lines(lambda: logging.getLogger("uvicorn").error("%d", "s3cret"))
    assert line["event"] == "log_record_lost"
    assert "s3cret" not in str(line)


def test_secrets_of_a_configuration_do_not_appear_in_what_is_logged_of_it(
    logged: Logged, tmp_path: Path
) -> None:
    (tmp_path / "bot.toml").write_text(
        '[platform]\napp_id = "app"\napp_secret = "${S}"\nencoding_aes_key = "${K}"\n'
        '[server]\ncallback_path = "/callback/${C}"\n[console]\npassword = "${P}"\n'
        '[plugins.greeter]\ntoken = "${T}"\n'
    )
    environment = {"S": "secret-s", "K": "k" * 32, "C": "secret-c", "P": "secret-p", "T": "secret-t"}
    config = load(tmp_path / "bot.toml", environment)

    def act() -> None:
        log = structlog.get_logger()
        log.info("read", config=config, settings=config.plugins.settings, environment=environment)
        log.info("read", path=config.server.callback_path.get_secret_value(), plain=list(config.secrets()))

    output = logged(act, *config.secrets())
    assert not [value for value in environment.values() if value in output]


def test_pressing_ctrl_c_is_no_crash(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(lambda: sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)) == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


class Full(StringIO):
    """As a file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_ends_nobody() -> None:
    configure("info", colour=False, secrets=(), json=True, stream=Full())
    structlog.get_logger("relay.sender").info("delivered", delivery="d1")
