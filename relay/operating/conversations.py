"""The questions that wait for an answer: what an operator sees of them, and how one is ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.config import Config
from relay.errors import RefusalError
from relay.language import Language, Text
from relay.operating.questions import LARGEST_ID, chats_asked
from relay.store.occasions import Question
from relay.store.protocol import Row, Store
from relay.store.sqlite.queries import conversation_id, message_id, rfc3339

NOT_ONE = Text("「{value}」不是对话的编号", "`{value}` is no conversation")
IDS = Text(
    "写成 c12 或 12；relay conversations 列出所有对话", "write c12 or 12; `relay conversations` lists them"
)
NONE = Text("没有对话 {id}", "there is no conversation {id}")
NONE_HINT = Text(
    "它也许刚好得到回答，或者到了时间；relay conversations 列出还在等的",
    "it may just have been answered, or its time be over; `relay conversations` lists those that wait",
)


def conversation_asked(word: str) -> int:
    """The number behind a conversation's id, `c12` or `12`."""
    found = re.fullmatch("c?([0-9]{1,19})", word.strip(), re.IGNORECASE)
    if found is None or int(found[1]) > LARGEST_ID:
        raise RefusalError(NOT_ONE, IDS, {"value": word})
    return int(found[1])


async def waiting(config: Config, store: Store, chats: Sequence[str] = ()) -> list[Row]:
    """The conversations that are open, in these chats or all; those first that end first."""
    asked = chats_asked(chats, config.chats)
    found = await store.occasions.conversations()
    return [_row(each) for each in found if not asked or each.chat in asked]


def _row(question: Question) -> Row:
    message = question.message
    return {
        "id": conversation_id(question.id),
        "plugin": question.plugin,
        "chat": question.chat,
        "sender": question.sender,
        "account": question.account,
        "handler": question.handler,
        "on_timeout": question.on_timeout,
        "message_id": None if message is None else message_id(message),
        "since": rfc3339(question.since),
        "until": rfc3339(question.until),
    }


async def cancel(store: Store, numbers: Sequence[int], language: Language) -> list[Row]:
    """End these, and call nobody; of each whether it was there, and otherwise error and hint."""
    there = set(await store.occasions.cancel(numbers))
    return [_outcome(number, number in there, language) for number in dict.fromkeys(numbers)]


def _outcome(number: int, done: bool, language: Language) -> Row:
    told: Row = {"id": conversation_id(number), "done": done}
    if done:
        return told
    return told | RefusalError(NONE, NONE_HINT, {"id": told["id"]}, exit_code=1).told(language)
