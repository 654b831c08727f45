"""Reasons and errors that the bot has written down in English, in the operator's language."""

from __future__ import annotations

import re
from collections.abc import Callable

from relay.language import Language

_ACTS = {"forward": "转发", "reply": "回复", "send": "发送", "stop": "到此为止"}


def _acting(found: re.Match[str]) -> str:
    """What a rule that only observes would do."""
    return f"{_ACTS[found[1]]}：{_chinese(found[2])}"


def _failing(found: re.Match[str]) -> str:
    """What a handler failed of, and where."""
    return f"{found[1]}：{_chinese(found[2])}（{found[3]}）"


def _declined(found: re.Match[str]) -> str:
    """Why one handler of several was not called."""
    return f"{found[1]}：{_chinese(found[2])}"


_CHINESE: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"own", "我方消息"),
    (r"forgotten", "已被 relay forget 清除"),
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
    (r"not in the platform's log", "平台的消息记录里没有"),
    (
        r"not in the platform's log, which does not reach past it",
        "平台的消息记录里没有，但记录也没有更晚的内容",
    ),
    (r"something in the platform's log may be it", "平台的消息记录里有一条可能就是它"),
    (r"the platform's log does not tell", "平台的消息记录查不到"),
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
    (r"the router died (\d+) times while it was in hand", r"处理它时路由进程退出了 \1 次"),
    # what rules and routes say of a message
    (r"enabled = false", "已停用（enabled = false）"),
    (r'late, and late = "skip"', '迟到的消息，而 late = "skip"'),
    (r"own, and include_own is not set", "我方消息，而 include_own 没有打开"),
    (r"([\w.-]+): (.+) is not among (.+) and (\d+) more", r"\1：\2 不在 \3 等之列（另有 \4 个）"),
    (r"([\w.-]+): (.+) is not among (.+)", r"\1：\2 不在 \3 之列"),
    (r"([\w.-]+): (.+) is among them", r"\1：\2 在其中"),
    (r"contains_all: not all of (.+) and (\d+) more", r"contains_all：没有全部包含 \1 等词（另有 \2 个）"),
    (r"contains_all: not all of (.+)", r"contains_all：没有全部包含 \1"),
    (r"equals: none of (.+) and (\d+) more", r"equals：不是 \1 等词（另有 \2 个）"),
    (r"equals: none of (.+)", r"equals：不是 \1"),
    (r"prefix: none of (.+) and (\d+) more", r"prefix：开头不是 \1 等词（另有 \2 个）"),
    (r"prefix: none of (.+)", r"prefix：开头不是 \1"),
    (r"(\w+): none of (.+) and (\d+) more", r"\1：没有 \2 等词（另有 \3 个）"),
    (r"(\w+): none of (.+)", r"\1：没有 \2"),
    (r"regex: no match of (.+)", r"regex：\1 没有命中"),
    (r"not_contains: (.+) is in it", r"not_contains：含有 \1"),
    (r"chat_type: (\w+), not (\w+)", r"chat_type：是 \1，不是 \2"),
    (r"hours: (\S+) is not in (.+)", r"hours：\1 不在 \2 之内"),
    (
        r"cooldown: (\S+) per chat is not over \(since (m\d+), until (.+)\)",
        r"cooldown：本会话 \1 的冷却从 \2 开始，到 \3 结束",
    ),
    (
        r"cooldown: (\S+) per sender is not over \(since (m\d+), until (.+)\)",
        r"cooldown：此人 \1 的冷却从 \2 开始，到 \3 结束",
    ),
    (r"cooldown: (\S+) per chat is not over", r"cooldown：本会话的冷却时间 \1 未过"),
    (r"cooldown: (\S+) per sender is not over", r"cooldown：此人的冷却时间 \1 未过"),
    (r"(.+) stopped it before", r"\1 先让它到此为止"),
    (r"(forward|reply|send|stop): (.+)", _acting),
    # as earlier versions wrote it, in what is kept
    (r"(chat|sender|account) (\S+) is not in (\w+)", r"\2 不在 \3 里"),
    (r"(chat|sender) (\S+) is in (\w+)", r"\2 在 \3 里"),
    (r"type (\S+) is not in (\w+)", r"类型 \1 不在 \2 里"),
    (r"type (\S+) is in (\w+)", r"类型 \1 在 \2 里"),
    (r"type (\S+) is not among (.+)", r"类型 \1 不在 \2 之内"),
    (r"type (\S+) has no text to look into", r"类型 \1 没有文字可查"),
    (r"chat_type is (\w+)", r"chat_type 是 \1"),
    (r"(\S+) is not in hours (.+)", r"\1 不在 hours \2 之内"),
    (r"(\w+) is not in days", r"\1 不在 days 之内"),
    (r"no match of (.+)", r"\1 都没有命中"),
    (r"no word of contains is in it", "没有 contains 里的词"),
    (r"(.+) of not_contains is in it", r"含有 not_contains 里的「\1」"),
    (r"cooldown of (\S+) per chat is not over", r"本会话的冷却时间 \1 未过"),
    (r"cooldown of (\S+) per sender is not over", r"此人的冷却时间 \1 未过"),
    (r"the reply is empty once filled in", "填好之后回复是空的"),
    (
        r"(\d+) other rules: off, for other chats, or nothing of theirs is in it",
        r"另外 \1 条规则：停用、不管这个会话，或没有命中",
    ),
    (r"(\S+) gets it by (.+) already", r"\1 已由 \2 得到"),
    (r"to a question: it goes to (\S+)", r"回答了提问，交给 \1"),
    (r"to (.+)", r"到 \1"),
    (r"(\d+) to (\S+)", r"\1 条，到 \2"),
    (r"no other chat to forward to", "没有别的会话可转"),
    (r"it names no chat to forward to", "没有写明转到哪里"),
    (r"(.+) is not in \[chats\]", r"[chats] 里没有 \1"),
    (r"(.+) is not in \[chats\] \(did you mean (\S+)\?\)", r"[chats] 里没有 \1（是不是想写 \2？）"),
    (r"chat (\S+) is not in (plugins\.\S+)", r"\1 不在 \2 里"),
    (r"chat (\S+) is in (plugins\.\S+)", r"\1 在 \2 里"),
    (
        r"(\d+) decisions are too many: one handler may have (\d+) at once, and none counts",
        r"\1 个决定太多：一个处理函数一次最多 \2 个，全部不算",
    ),
    (
        r"more than is stored for one message, (\d+) deliveries of 1 KB, and none counts",
        r"超过了一条消息能存下的量（\1 个 1 KB 的投递），全部不算",
    ),
    (r"a coroutine is no decision: an await is missing", "返回了协程：少写了 await"),
    (r"(\w+) is no decision: write (\S+)(?: around it)?", r"\1 不是决定：写 \2"),
    (r"(\w+) is no decision: return .+", r"\1 不是决定：返回 None、一个决定或一个列表"),
    (r"there is nothing to say: Reply and Send need at least one message", "Reply 和 Send 至少要有一条消息"),
    (r"(Forward|Send) takes (?:one chat|chats), by .+, not (\w+)", r"\1 要会话的名字或 id，却是 \2"),
    (r"at= needs a time zone: build it from ctx\.now", "at= 要带时区：用 ctx.now 算"),
    (r"(\w+)= is too (?:long|far away): (\d+) days are the most", r"\1= 太久：最多 \2 天"),
    (r"(\w+): (.+) at (\S+\.py:\d+(?:, \S+:\d+)?)", _failing),
    (r"(\w+\(\)): (.+)", _declined),
    (r"later rules and plugins do not see it", "后面的规则和插件看不到它"),
    (r"(\w+) took longer than (\d+) ms", r"\1 超过了 \2 毫秒"),
    (r"(\w+) was not called: (\d+) earlier calls still run", r"没有调用 \1：先前 \2 次还没有结束"),
    (r"(\d+) failures in a row", r"连续失败 \1 次"),
    (r"parked until (\S+)", r"搁置到 \1"),
    (r"it is being tried again", "正在重新试它"),
    (r"the router died in (\S+)", r"路由进程在 \1 里退出"),
    (r"(\w+) decided nothing", r"\1 没有决定"),
    (r"for (\S+), the answer goes to (\S+)", r"\1 之内，回答交给 \2"),
    (r"the conversation ends: there is no (\S+) any more", r"对话结束：已经没有 \1"),
    (r"waits no longer for (\S+) in (\S+)", r"不再等 \1 在 \2 里回答"),
    (r"it takes a chat and a sender to end a conversation", "结束对话要写明会话和人"),
    (r"there is no message to (reply to|forward)", "没有消息可回复或转发"),
    (r"no account of ours was heard in (\S+)", r"没有我方账号在 \1 里听到过消息"),
    (r"no plugin that runs has registered for it", "没有正在运行的插件登记过它"),
    (r"there is no (\S+\.\S+) any more", r"已经没有 \1"),
    (r"the (event|delivery) is not kept any more", "它已被清理"),
    (r"deliveries that tell of deliveries go in a circle", "投递引出投递，绕成了圈"),
    (r"did not load: (.+) \(did you mean `(\w+)`\?\)", r"没有加载：\1（是不是想写 `\2`？）"),
    (r"did not load: (.+)", r"没有加载：\1"),
)
"""What may stand there, and how it is said in Chinese; parts are joined by semicolons."""


def told(stored: str, language: Language) -> str:
    """What is stored, in this language; what nobody knows here (the platform's own words) as it is."""
    return stored if language == "en" else "；".join(map(_chinese, stored.split("; ")))


def _chinese(part: str) -> str:
    for english, chinese in _CHINESE:
        if found := re.fullmatch(english, part):
            return found.expand(chinese) if isinstance(chinese, str) else chinese(found)
    return part
