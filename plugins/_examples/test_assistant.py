"""What comes to assistant, and what it says; its model is a small one, in a thread of this test."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from relay.testing import Bench


class Model(BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible endpoint does."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], asked))
        said = f"第 {len(asked['messages'])} 条：{asked['messages'][-1]['content']}"
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def model():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def assistant(model, request):
    settings = {"base_url": f"http://127.0.0.1:{model.server_port}/v1/", "key": "sk-1", "remembered": 4}
    with Bench("assistant", settings=settings, beside=request.path) as bench:
        yield bench


def test_answers_whoever_calls_it(assistant, model):
    assert assistant.say("小助手，几点开门？").texts == ["第 2 条：几点开门？"]
    ((path, key, asked),) = model.asked
    assert (path, key, asked["model"]) == ("/v1/chat/completions", "Bearer sk-1", "gpt-4o-mini")


def test_keeps_out_of_other_conversations(assistant, model):
    assert assistant.say("几点开门？") == []
    assert model.asked == []


def test_remembers_what_was_said_in_a_chat_for_an_hour(assistant):
    assistant.say("小助手 一")
    assert assistant.say("小助手 二").texts == ["第 4 条：二"]
    assert assistant.say("小助手 三", chat="R:10950000000000007").texts == ["第 2 条：三"]
    assistant.say("小助手 四")
    assert assistant.say("小助手 五").texts == ["第 6 条：五"]  # no more than it is to remember
    assistant.clock.advance("61m")
    assert assistant.say("小助手 六").texts == ["第 2 条：六"]


def test_says_nothing_where_the_model_does_not(assistant, model):
    model.status = 500
    assert assistant.say("小助手 在吗") == []
    assert assistant.state.of(chat="R:10950000000000001") == {}
