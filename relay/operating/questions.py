"""What somebody may ask of messages and deliveries, read from the words of a command line or an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from difflib import get_close_matches

from relay.config import Chats, Duration
from relay.errors import RefusalError
from relay.language import Text
from relay.store.states import DeliveryState, MessageState
from relay.wire.scalars import storable

LIMIT = 50
MOST = 1000
LARGEST_ID = 2**63 - 1

MESSAGE_STATES: Mapping[str, Text] = {
    MessageState.WAITING: Text("等待中", "waiting"),
    MessageState.ROUTED: Text("已处理", "routed"),
    MessageState.SKIPPED: Text("已跳过", "skipped"),
    MessageState.SET_ASIDE: Text("已搁置", "set aside"),
}
DELIVERY_STATES: Mapping[str, Text] = {
    DeliveryState.QUEUED: Text("排队中", "queued"),
    DeliveryState.SENDING: Text("发送中", "sending"),
    DeliveryState.ACCEPTED: Text("已受理", "accepted"),
    DeliveryState.DELIVERED: Text("已送达", "delivered"),
    DeliveryState.UNKNOWN: Text("结果不明", "unknown"),
    DeliveryState.HELD: Text("待人工", "held"),
    DeliveryState.FAILED: Text("失败", "failed"),
    DeliveryState.EXPIRED: Text("已过期", "expired"),
    DeliveryState.DISCARDED: Text("已丢弃", "discarded"),
}
"""Every state with its name for people, which is understood where a state is asked for."""

NO_CHAT = Text("[chats] 里没有「{value}」", "`{value}` is not in [chats]")
CHAT_NEAR = Text("是不是「{near}」？", "did you mean `{near}`?")
CHAT_NAMES = Text(
    "可用的名字：{names}；也可以直接写 R:… 或 7881… 这样的 id",
    "known names: {names}; ids such as R:… and 7881… are taken as they are",
)
CHAT_IDS = Text(
    "[chats] 是空的；请写 R:… 或 7881… 这样的 id", "[chats] is empty; give an id such as R:… or 7881…"
)
NO_STATE = Text("没有「{value}」这个状态", "`{value}` is not a state")
STATE_NEAR = Text("是不是 {near}？可用：{states}", "did you mean {near}? There are: {states}")
STATES = Text("可用：{states}", "there are: {states}")
NO_TIME = Text("看不懂时间「{value}」", "`{value}` is neither a duration nor a time")
TIMES = Text(
    '写时长，如 30m、2h、7d；或时间，如 "2026-01-31 09:00"（机器人时区）、2026-01-31T09:00:00+08:00',
    'write a duration such as 30m, 2h or 7d, or a time: "2026-01-31 09:00" (in the bot\'s time zone) '
    "or 2026-01-31T09:00:00+08:00",
)
NO_LIMIT = Text("条数「{value}」不行", "`{value}` is not a number of rows")
LIMITS = Text("写 1 到 {most} 之间的整数", "write a whole number from 1 to {most}")
NO_MESSAGE = Text("「{value}」不是消息 id", "`{value}` is not a message's id")
MESSAGE_IDS = Text(
    "写 m12 这样的 id；relay messages 会列出来", "write an id such as m12; `relay messages` lists them"
)
NOT_A_DELIVERY = Text("「{value}」不是投递 id", "`{value}` is not a delivery's id")
DELIVERY_IDS = Text(
    "写 d12 这样的 id；relay deliveries 会列出来", "write an id such as d12; `relay deliveries` lists them"
)
NO_PARAMETER = Text("没有「{value}」这个参数", "`{value}` is not a parameter")
PARAMETERS = Text("可用：{known}", "there are: {known}")
NO_TEXT = Text("还没有写要试的话", "there is nothing to try")
NO_TEXT_HINT = Text(
    '写上一句话，例如 relay try "价格" --chat 名字 --sender 名字',
    'say something, such as `relay try "price" --chat NAME --sender NAME`',
)
ONE_CHAT = Text("「{value}」代表 {count} 个会话", "`{value}` stands for {count} chats")
ONE_CHAT_HINT = Text("写其中一个：{chats}", "choose one of them: {chats}")
NOBODY = Text("{key} 不能用「{value}」", "`{value}` cannot be the {key}")
NOBODY_HINT = Text(
    "写 [chats] 里的名字或 7881… 这样的 id，不超过 {most} 个字符",
    "give a name in [chats] or an id such as 7881…, of at most {most} characters",
)
NOT_OURS = Text("「{value}」不是我方账号", "`{value}` is no account of ours")
NOT_OURS_HINT = Text("我方账号：{known}", "ours are: {known}")
TOO_LONG = Text("这句话太长", "the text is too long")
TOO_LONG_HINT = Text("最多 {most} 个字符", "at most {most} characters")
LONGEST_QUOTED = 60
LONGEST_ID = 200
LONGEST_TEXT = 10_000


ANYBODY = re.compile(rf"[^\s\ufeff\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{LONGEST_ID}}}")
"""What may be the id of a person or an account."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that somebody might say; account "" is whichever of ours would hear it."""

    text: str
    chat: str
    sender: str
    account: str = ""


def chats_asked(names: Iterable[str], chats: Chats) -> tuple[str, ...]:
    """The wxids behind names and ids, each once."""
    return tuple(dict.fromkeys(wxid for name in names for wxid in _chat(name.strip(), chats)))


def _chat(name: str, chats: Chats) -> tuple[str, ...]:
    try:
        return chats.resolve(name)
    except ValueError as exc:
        near = _near(name, chats.names)
        names = ", ".join(chats.names)
        hint = CHAT_NEAR if near else CHAT_NAMES if names else CHAT_IDS
        raise _refusal(NO_CHAT, hint, name, near=near, names=names) from exc


def states_asked(words: Iterable[str]) -> tuple[str, ...]:
    """Delivery states by their names in either language; a word may hold several, with commas."""
    parts = (part.strip() for word in words for part in re.split("[,，、]", word))
    return tuple(dict.fromkeys(_state(part) for part in parts if part))


def _state(word: str) -> str:
    named = {text.zh: state for state, text in DELIVERY_STATES.items()}
    state = named.get(word, word.lower())
    if state in DELIVERY_STATES:
        return str(state)
    near = _near(word, DELIVERY_STATES)
    raise _refusal(
        NO_STATE, STATE_NEAR if near else STATES, word, near=near, states=", ".join(DELIVERY_STATES)
    )


def since_asked(word: str | None, now: int, zone: tzinfo) -> int:
    """The moment meant, in milliseconds since 1970: so long ago, or a time, in `zone` where it names none."""
    if word is None:
        return 0
    try:
        return now - Duration(word.strip())
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(word.strip())
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000))
    except (ValueError, OverflowError) as exc:
        raise _refusal(NO_TIME, TIMES, word) from exc


def limit_asked(word: str | int | None) -> int:
    """How many rows at the most."""
    if word is None:
        return LIMIT
    text = str(word).strip()
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= MOST:
        raise _refusal(NO_LIMIT, LIMITS, text, most=MOST)
    return int(text)


def message_asked(word: str | None) -> int | None:
    """The number behind a message's id, `m12` or `12`."""
    if word is None:
        return None
    found = re.fullmatch("m?([0-9]{1,19})", word.strip(), re.IGNORECASE)
    if found is None or int(found[1]) > LARGEST_ID:
        raise _refusal(NO_MESSAGE, MESSAGE_IDS, word)
    return int(found[1])


def occasion_asked(word: str) -> int | None:
    """The number behind `o12`, by which plugins were called for something else than a message."""
    found = re.fullmatch("o([0-9]{1,19})", word.strip(), re.IGNORECASE)
    return int(found[1]) if found and int(found[1]) <= LARGEST_ID else None


def body_asked(word: str) -> int | None:
    """The number behind `b12`, a body that could not be read."""
    found = re.fullmatch("b([0-9]{1,19})", word.strip(), re.IGNORECASE)
    return int(found[1]) if found and int(found[1]) <= LARGEST_ID else None


def svrid_asked(word: str) -> str:
    """A message's id as the platform spells it; `RefusalError` for what neither of us could have said."""
    svrid = word.strip()
    if not svrid or len(svrid) > LONGEST_ID or storable(svrid) != svrid:
        raise _refusal(NO_MESSAGE, MESSAGE_IDS, storable(word))
    return svrid


def delivery_asked(word: str) -> int:
    """The number behind a delivery's id, `d12` or `12`."""
    found = re.fullmatch("d?([0-9]{1,19})", word.strip(), re.IGNORECASE)
    if found is None or int(found[1]) > LARGEST_ID:
        raise _refusal(NOT_A_DELIVERY, DELIVERY_IDS, word)
    return int(found[1])


def line_asked(text: str, chat: str, sender: str, account: str, chats: Chats) -> Line:
    """What is to be tried: a text, and names or ids of who says it, where, and which of ours hears it."""
    said = storable(text)
    if not said:
        raise RefusalError(NO_TEXT, NO_TEXT_HINT)
    if len(said) > LONGEST_TEXT:
        raise RefusalError(TOO_LONG, TOO_LONG_HINT, {"most": LONGEST_TEXT})
    found = _chat(chat, chats)
    if len(found) != 1:
        raise _refusal(ONE_CHAT, ONE_CHAT_HINT, chat, count=len(found), chats=", ".join(found))
    heard_by = _somebody("account", account, chats) if account else ""
    return Line(said, found[0], _somebody("sender", sender, chats), heard_by)


def refuse_others(line: Line, ours: Sequence[str]) -> None:
    """`RefusalError` where somebody else's account is to hear it; while none is known, any may be ours."""
    if line.account and ours and line.account not in ours:
        raise _refusal(NOT_OURS, NOT_OURS_HINT, line.account, known=", ".join(ours))


def _somebody(key: str, word: str, chats: Chats) -> str:
    """A person or account: by a name in [chats], otherwise whatever stands there is taken for the id."""
    found = chats.names.get(word, (word,))
    if len(found) != 1 or not ANYBODY.fullmatch(found[0]):
        raise _refusal(NOBODY, NOBODY_HINT, storable(word), key=key, most=LONGEST_ID)
    return found[0]


def _near(word: str, known: Iterable[str]) -> str | None:
    close = get_close_matches(word.casefold(), {name.casefold(): name for name in known}, n=1)
    return next((name for name in known if close and name.casefold() == close[0]), None)


def _refusal(error: Text, hint: Text, value: str, **values: object) -> RefusalError:
    shown = value if len(value) <= LONGEST_QUOTED else value[: LONGEST_QUOTED - 1] + "…"
    return RefusalError(error, hint, {"value": shown, **values})


def unknown_words(given: Iterable[str], known: Sequence[str]) -> RefusalError | None:
    """The complaint about the first parameter that nobody has heard of."""
    for word in given:
        if word not in known:
            return _refusal(NO_PARAMETER, PARAMETERS, word, known=", ".join(known))
    return None
