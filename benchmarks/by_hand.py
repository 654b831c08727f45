"""The same jobs as one would do them by hand on Starlette: what relay is measured against.

python -m benchmarks.by_hand bare PORT               parses the JSON and answers
python -m benchmarks.by_hand answering PORT PLATFORM also decrypts, looks for the keyword and replies
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.bot import KEY, PATH, REPLY, WORD
from relay.wire.crypto import open_body

BACKLOG = 2048


def bare() -> Starlette:
    """Parses the body as JSON, and answers: no encryption, and nothing is kept."""

    async def callback(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse({"errcode": 0})

    return Starlette(routes=[Route(PATH, callback, methods=["POST"])])


class Answering:
    """One process, no store: answers the callback, and replies to what has the keyword in it."""

    def __init__(self, platform: int) -> None:
        self._url = f"http://127.0.0.1:{platform}/wechat/sendMessage"
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def callback(self, request: Request) -> JSONResponse:
        """Take a callback; the replies go out beside the answer, as the platform waits one second only."""
        for notification in json.loads(open_body(await request.body(), KEY, allow_plaintext=False)):
            for entry in notification["data"]:
                self._look_at(notification["rel_wxid"], entry)
        return JSONResponse({"errcode": 0})

    def _look_at(self, account: str, entry: dict[str, object]) -> None:
        content = entry["content"]
        text = "".join(item["text"] for item in content["items"])  # type: ignore[index]
        if entry["msg_type"] == "text" and entry["from_wxid"] != account and WORD in text:
            task = asyncio.create_task(self._reply(account, str(entry["chat_wxid"]), text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, account: str, chat: str, text: str) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        said = REPLY.replace("{text}", text)
        message = {"msg_type": "text", "content": {"items": [{"type": "text", "text": said}]}}
        body = {
            "app_id": "a",
            "access_token": "t",
            "wxid": account,
            "target_wxid": chat,
            "messages": [message],
        }
        async with self._session.post(self._url, json=body) as answer:
            if (await answer.json())["errcode"]:
                raise RuntimeError("the platform refused a reply")

    def app(self) -> Starlette:
        """As an ASGI app."""
        return Starlette(routes=[Route(PATH, self.callback, methods=["POST"])])


def main() -> None:
    """Serve, with uvicorn set as relay sets it."""
    app = bare() if sys.argv[1] == "bare" else Answering(int(sys.argv[3])).app()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
    )


if __name__ == "__main__":
    main()
