"""What the platform pushes, as entries: what people say, what our accounts say, and what failed."""

from __future__ import annotations

import json

from relay.wire.entries import Entry

ONE, TWO = "1688850000000001", "1688850000000002"
ANN = "7881300000000001"
EAST, WEST, NORTH = "R:10950000000000001", "R:10950000000000002", "R:10950000000000003"
TEXTS = ("hello", "price")
NAMES = ("api_send_id", "api_send_svrid")
Ids = tuple[str, str]
NO_IDS = ("", "")


def said(svrid: str, account: str, at: int, text: str, wx_svrid: str) -> Entry:
    """What a customer says in a room, as one of our accounts hears it."""
    return _message(svrid, account, EAST, ANN, at, text, wx_svrid, NO_IDS)


def echo(svrid: str, account: str, chat: str, at: int, text: str, ids: Ids) -> Entry:
    """What one of our accounts said, whoever made it say so."""
    return _message(svrid, account, chat, account, at, text, f"own-{svrid}", ids)


def failure(account: str, ids: Ids) -> Entry:
    """The platform could not send it after all."""
    raw = json.dumps({"wxid": account, "message": "no", **dict(zip(NAMES, ids, strict=True))}).encode()
    return Entry("chatMsgSendFail", account, raw, api_send_id=ids[0], api_send_svrid=ids[1])


def _message(  # noqa: PLR0913, RUF100 - what an entry is made of
    svrid: str, account: str, chat: str, sender: str, at: int, text: str, wx_svrid: str, ids: Ids
) -> Entry:
    content = {"items": [{"type": "text", "text": text}]}
    fields = {"svrid": svrid, "chat_wxid": chat, "from_wxid": sender, "msg_type": "text", "content": content}
    more = {"chat_type": 2, "wx_svrid": wx_svrid, "msg_time": at, **dict(zip(NAMES, ids, strict=True))}
    return Entry(
        *("chatMsg", account, json.dumps({**fields, **more}).encode()),
        svrid=svrid,
        wx_svrid=wx_svrid,
        chat=chat,
        chat_type="room",
        sender=sender,
        type="text",
        time=at,
        api_send_id=ids[0],
        api_send_svrid=ids[1],
    )
