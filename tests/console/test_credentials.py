"""What opens what."""

from __future__ import annotations

import pytest

from relay.console.credentials import Credentials


@pytest.mark.parametrize("path", ["/metrics", "/api/status"])
def test_an_empty_secret_opens_nothing(path: str) -> None:
    assert not Credentials("", "").open(path, b"")


def test_the_password_opens_everything_and_the_token_the_metrics_alone() -> None:
    known = Credentials("密码", "token")
    assert known.open("/metrics", "密码".encode())
    assert known.open("/api/status", "密码".encode())
    assert known.open("/metrics", b"token")
    assert not known.open("/api/status", b"token")
    assert not known.open("/metrics", b"toke")


def test_neither_secret_lies_in_the_memory_of_it() -> None:
    known = Credentials("a-password", "a-token")
    assert "a-password" not in repr(vars(known))
    assert "a-token" not in repr(vars(known))
