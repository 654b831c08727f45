"""Reasons and errors that the bot has written down in English, in the operator's language."""

from __future__ import annotations

import re

from relay.language import Language

_CHINESE = (
    (r"own", "我方消息"),
    (r"own, and heard by another of our accounts", "我方消息，由另一个账号听到"),
    (r"own, and may be an echo", "我方消息，可能是回声"),
    (r"copy of (m\d+)", r"\1 的副本"),
    (r"it does not say who, where, or to which account", "没有说明是谁、在哪里、给哪个账号"),
    (r"older than storage\.remember", "早于 storage.remember"),
    (r"no answer", "没有应答"),
    (r"no answer within ([\d.]+) s", r"\1 秒内没有应答"),
    (r"no token: errcode (\S+)", r"拿不到令牌：errcode \1"),
    (r"no token: (.+)", r"拿不到令牌：\1"),
    (r"no echo came", "没有等到回声"),
    (r"expire_after passed", "已超过 expire_after"),
    (r"(\d+) attempts used up", r"\1 次尝试已用完"),
    (r"the sender stopped before the answer", "应答之前发送进程停止了"),
    (r"what was to go before it did not go out", "应当先发的没有发出"),
    (
        r"account (\S+) did not hear the message, so it cannot forward it",
        r"账号 \1 没有听到这条消息，无法转发",
    ),
    (r"failure event", "失败事件"),
    (r"failure event: (.+)", r"失败事件：\1"),
)
"""What may stand there, and how it is said in Chinese; parts are joined by semicolons."""


def told(stored: str, language: Language) -> str:
    """What is stored, in this language; what nobody knows here (the platform's own words) as it is."""
    return stored if language == "en" else "；".join(map(_chinese, stored.split("; ")))


def _chinese(part: str) -> str:
    for english, chinese in _CHINESE:
        if found := re.fullmatch(english, part):
            return found.expand(chinese)
    return part
