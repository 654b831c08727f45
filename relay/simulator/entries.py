"""The platform's notifications, composed as bytes so that `content` stays as written (platform API §3)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

CORP_WXID = "1970320000000001"


def to_json(value: object) -> bytes:
    """Write compact JSON, readable where UTF-8 can carry it and escaped where it cannot (lone surrogates)."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def compose(members: Mapping[str, bytes]) -> bytes:
    """Put members, each given as JSON text, into an object."""
    return b"{%b}" % b",".join(to_json(name) + b":" + value for name, value in members.items())


def text_content(text: str) -> bytes:
    """Give the content of a plain text message."""
    return to_json({"items": [{"type": "text", "text": text}]})


def chat_entry(
    *,
    svrid: str,
    wx_svrid: str,
    wx_msgid: str,
    client_id: str,
    account: str,
    chat: str,
    is_room: bool,
    sender: str,
    to: str,
    msg_type: str,
    content: bytes,
    time: int,
    api_ids: Mapping[str, str],
    in_extra: bool,
) -> bytes:
    """Give a chatMsg entry; an empty `wx_svrid` is left out."""
    values: dict[str, object] = {
        "svrid": svrid,
        "wx_svrid": wx_svrid,
        "wx_msgid": wx_msgid,
        "client_id": client_id,
        "msg_hash": f"{zlib.crc32(content):08x}",
        "wxid": account,
        "chat_wxid": chat,
        "chat_type": 2 if is_room else 1,
        "from_wxid": sender,
        "to_wxid": to,
        "msg_type": msg_type,
        "content": None,
        "msg_time": time,
        "user_id": "21",
        "sub_user_id": 0,
        "corp_id": 1,
        "extra": api_ids if in_extra else {},
    }
    if not wx_svrid:
        del values["wx_svrid"]
    members = {name: to_json(value) for name, value in values.items()}
    members["content"] = content
    if not in_extra:
        members |= {name: to_json(value) for name, value in api_ids.items()}
    return compose(members)


def fail_entry(api_ids: Mapping[str, str], reason: str) -> bytes:
    """Give a chatMsgSendFail entry: the documented ids, and the reason where the bot may find it."""
    return to_json({**api_ids, "message": reason})


def notification(kind: str, account: str, entry: bytes) -> bytes:
    """Give a whole callback: an array of one notification with one entry."""
    head = {"type": kind, "corp_wxid": CORP_WXID, "rel_wxid": account}
    members = {name: to_json(value) for name, value in head.items()}
    return b"[%b]" % compose({**members, "data": b"[%b]" % entry})
