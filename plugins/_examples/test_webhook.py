"""What comes to webhook, and whom it tells."""

import hashlib
import hmac
import json

import pytest

from relay import Fetched, FetchError

pytestmark = pytest.mark.relay(settings={"url": "https://crm.example.com/hook", "secret": "s3cret"})


@pytest.fixture
def told(bench, monkeypatch):
    requests = []

    async def fetch(url, *, json, headers, timeout):  # noqa: ASYNC109 - as relay's own
        requests.append((url, json, headers))
        return Fetched(204, b"")

    monkeypatch.setattr(bench.module, "fetch", fetch)
    return requests


def test_tells_who_said_what_and_where(bench, told):
    assert bench.say("你好", sender="Ann") == []
    ((url, body, headers),) = told
    assert (url, body["sender_name"], body["text"]) == ("https://crm.example.com/hook", "Ann", "你好")
    signed = json.dumps(body, sort_keys=True).encode()
    assert headers["X-Relay-Signature"] == hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()


def test_tells_texts_only_where_nothing_else_is_asked_for(bench, told):
    bench.say(type="picture", content={"url": "https://example.com/x.png"})
    assert told == []


@pytest.mark.relay(settings={"url": "http://127.0.0.1:9/hook"})
def test_never_calls_into_your_own_network(bench):
    assert bench.say("你好") == []
    assert "not a public address" in bench.trace


def test_says_in_the_trace_why_nobody_was_told(bench, monkeypatch):
    async def fetch(*_, **__):
        raise FetchError("no answer within 4 s")

    monkeypatch.setattr(bench.module, "fetch", fetch)
    assert bench.say("你好") == []
    assert "no answer within 4 s" in bench.trace
