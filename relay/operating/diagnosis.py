"""What is wrong with bodies that could not be read: judged anew by today's key, and taken in if it fits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from relay.config import Config
from relay.errors import BodyError
from relay.language import Language, Text
from relay.store.protocol import Row, Store
from relay.store.sqlite.queries import rfc3339
from relay.store.values import Damaged
from relay.wire.crypto import open_body
from relay.wire.notifications import Reading, read_notifications

READABLE = "readable"
EVERY = 1_000_000
"""More than are ever kept."""
LATELY = 5
"""So many bodies under another key and no message since: what came before tells nothing of it."""

REASONS: Mapping[str, Text] = {
    "padding": Text("密钥或填充", "key or padding"),
    "json": Text("解密后不是 JSON", "no JSON inside"),
    "wire_form": Text("外层格式", "wire form"),
    "plaintext_refused": Text("未加密", "not encrypted"),
    "empty": Text("空正文", "empty"),
    "internal": Text("relay 自身出错", "relay itself"),
    "body": Text("JSON 残缺", "broken JSON"),
    "notification": Text("通知残缺", "broken notification"),
    "entry": Text("条目残缺", "broken entry"),
}
"""Which check a body failed, or a part of one."""

SEALED = frozenset({"padding", "json"})
"""What a wrong key looks like."""

WHOLE = frozenset({"padding", "json", "wire_form", "plaintext_refused", "empty", "internal"})
"""Where a whole body was kept, and not a part of one whose rest was read."""

ADVICE: Mapping[str, Text] = {
    "padding": Text(
        "用 encoding_aes_key 解密后，末尾不是合法的填充：多半是密钥和平台上的不同；"
        "偶尔一个，是途中损坏或有人在试",
        "decrypted with encoding_aes_key, it does not end in padding: most likely the platform has another "
        "key; a single one was damaged on its way, or made up",
    ),
    "json": Text(
        "解密了，里面却不是 JSON：密钥不同时也会偶尔如此；否则是平台发来了别的东西",
        "it decrypts, and holds no JSON: with a wrong key that happens now and then; otherwise the platform "
        "sent something else",
    ),
    "wire_form": Text(
        "不是平台会发来的样子（base64、带 type 的 JSON、密文）：看看反向代理是否改写或压缩正文",
        "in none of the forms in which callbacks come (base64, JSON with a type, cipher text): see whether a "
        "proxy rewrites or compresses bodies",
    ),
    "plaintext_refused": Text(
        "没有加密就来了：在平台打开加密；或者设 server.allow_plaintext = true",
        "it came unencrypted: turn encryption on at the platform, or set server.allow_plaintext = true",
    ),
    "empty": Text(
        "什么也没有：多半是平台或别人试了一下地址，没有消息丢失",
        "there is nothing in it: most likely somebody only tried the address; no message is lost",
    ),
    "internal": Text(
        "relay 自己没有处理好：请报告；日志里的 callback_not_understood 有出错的位置",
        "relay itself failed on it: please report that; callback_not_understood in the log names the place",
    ),
    "body": Text(
        "加密没有问题，JSON 从某处断了；能读的部分已经收下",
        "it decrypts, and its JSON breaks off; what could be read was taken in",
    ),
    "notification": Text(
        "加密没有问题，其中一个通知读不出来；其余的已经收下",
        "it decrypts, and one notification in it cannot be read; the others were taken in",
    ),
    "entry": Text(
        "加密没有问题，其中一个条目读不出来；其余的已经收下",
        "it decrypts, and one entry in it cannot be read; the others were taken in",
    ),
}
"""What a failed check means, and what to do about it."""

LOOKS: Mapping[str, Text] = {
    "nothing": Text("空", "nothing"),
    "base64": Text("base64", "base64"),
    "hex": Text("十六进制", "hexadecimal"),
    "object": Text("JSON 对象", "a JSON object"),
    "array": Text("JSON 数组", "a JSON array"),
    "string": Text("JSON 字符串", "a JSON string"),
    "markup": Text("XML 或 HTML", "XML or HTML"),
    "form": Text("表单", "a form"),
    "compressed": Text("压缩数据（gzip 等）", "compressed (gzip or the like)"),
    "text": Text("其他文本", "other text"),
    "bytes": Text("二进制", "bytes"),
}
"""What a body looks like from outside."""

WRONG_KEY = Text(
    "{count} 个正文里 {failed} 个败在密钥或填充，最近没有收到过一条能读的消息："
    "encoding_aes_key 几乎肯定和平台上的不是同一个",
    "{failed} of {count} bodies fail at key or padding, and no message could be read lately: "
    "encoding_aes_key is almost certainly not the platform's key",
)
RIGHT_KEY = Text(
    "{count} 个正文里 {failed} 个败在密钥或填充，但期间有别的消息能读："
    "密钥没错，这些是途中损坏的，或是知道路径的人编造的",
    "{failed} of {count} bodies fail at key or padding, while other messages could be read: the key is "
    "right, and these were damaged on their way, or made up by somebody who knows the path",
)
MOSTLY = Text(
    "{count} 个正文里 {failed} 个败在「{reason}」：{advice}",
    "{failed} of {count} bodies fail at {reason}: {advice}",
)
NOW_READABLE = Text(
    "{count} 个用现在的配置可以读了：relay diagnose --take-in 收下它们，重复的不会再处理",
    "{count} can be read with the configuration of now: `relay diagnose --take-in` takes them in; "
    "what is known already is not acted on again",
)

_FORMS = (
    ("compressed", re.compile(rb"\x1f\x8b|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd")),
    ("object", re.compile(rb"\{")),
    ("array", re.compile(rb"\[")),
    ("string", re.compile(rb'"')),
    ("markup", re.compile(rb"<")),
    ("hex", re.compile(rb"(?:[0-9a-fA-F]{2})+\Z")),
    ("base64", re.compile(rb"[A-Za-z0-9+/_\s-]+=*\s*\Z")),
    ("form", re.compile(rb"[A-Za-z0-9_.%-]+=[^\x00-\x20\x7f-\xff]*\Z")),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A kept body, or part of one: which check it failed when it came, and which one it fails now."""

    id: int
    received_at: int
    size: int
    failed: str
    now: str  #: "readable", a reason, or that of then where a part is not judged anew
    looks: str

    def row(self, language: Language) -> Row:
        """For programs."""
        return {
            "id": f"b{self.id}",
            "received_at": rfc3339(self.received_at),
            "bytes": self.size,
            "failed": self.failed,
            "now": self.now,
            "looks": self.looks,
            "hint": None if self.now == READABLE else ADVICE[self.now].said(language),
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, newest first, and whether a message was read since the last few that blame the key."""

    findings: tuple[Finding, ...]
    heard: bool

    @property
    def readable(self) -> int:
        """How many can be read now."""
        return sum(each.now == READABLE for each in self.findings)

    @property
    def reasons(self) -> Counter[str]:
        """How many fail now at which check."""
        return Counter(each.now for each in self.findings if each.now != READABLE)

    def verdict(self, language: Language) -> str | None:
        """What is most likely wrong, in one sentence; None where all is well now."""
        reasons = self.reasons
        if not reasons:
            return None
        count = sum(reasons.values())
        sealed = sum(reasons[each] for each in SEALED)
        if sealed * 2 > count:
            text = RIGHT_KEY if self.heard else WRONG_KEY
            return text.said(language, count=count, failed=sealed)
        reason, failed = reasons.most_common(1)[0]
        named = {"reason": REASONS[reason].said(language), "advice": ADVICE[reason].said(language)}
        return MOSTLY.said(language, count=count, failed=failed, **named)

    def row(self, language: Language, limit: int) -> Row:
        """For programs, with so many of the findings."""
        oldest = min((each.received_at for each in self.findings), default=None)
        return {
            "kept": len(self.findings),
            "since": None if oldest is None else rfc3339(oldest),
            "readable": self.readable,
            "reasons": dict(self.reasons.most_common()),
            "verdict": self.verdict(language),
            "bodies": [each.row(language) for each in self.findings[:limit]],
        }


class Examiner:
    """Looks at kept bodies with the configuration of now; none of their words leaves it."""

    def __init__(self, config: Config, store: Store) -> None:
        self._store = store
        self._key = config.platform.callback_key
        self._allow_plaintext = config.server.allow_plaintext

    async def diagnose(self) -> Diagnosis:
        """Judge everything that is kept."""
        kept = await self._store.damaged(EVERY)
        findings = tuple(self._finding(each) for each in kept)
        sealed = [each.received_at for each in findings if each.now in SEALED][:LATELY]
        heard = bool(sealed) and bool(await self._store.messages(since=min(sealed), limit=1))
        return Diagnosis(findings, heard)

    async def look(self, number: int) -> Finding | None:
        """Judge one of them; None where it is not kept."""
        kept = await self._store.body(number)
        return None if kept is None else self._finding(kept)

    async def take_in(self) -> tuple[int, int]:
        """Take in what can be read now, oldest first; how many bodies, and how many new entries in them.

        Each counts as received when it was: what is too late for an answer by now stays without one.
        """
        bodies = entries = 0
        for kept in reversed(await self._store.damaged(EVERY)):
            reading = self._read(kept)
            if isinstance(reading, Reading):
                entries += await self._store.take_in(kept.id, reading)
                bodies += 1
        return bodies, entries

    def _finding(self, kept: Damaged) -> Finding:
        reading = self._read(kept)
        now = READABLE if isinstance(reading, Reading) else reading
        return Finding(
            kept.id, kept.received_at, len(kept.body), _known(kept.reason), now, looks_like(kept.body)
        )

    def _read(self, kept: Damaged) -> Reading | str:
        """What a body says, or the check that it fails."""
        if kept.reason not in WHOLE:
            return _known(kept.reason)
        try:
            return read_notifications(open_body(kept.body, self._key, allow_plaintext=self._allow_plaintext))
        except BodyError as exc:
            return _known(exc.reason)
        except Exception:  # noqa: BLE001 - a border: it is what was kept for just that
            return "internal"


def _known(reason: str) -> str:
    return reason if reason in REASONS else "internal"


def looks_like(body: bytes) -> str:
    """A key of `LOOKS`."""
    text = body[:4096].strip()
    if not text:
        return "nothing"
    for name, form in _FORMS:
        if form.match(text):
            return name
    return "text" if re.fullmatch(rb"[\s -~]+", text) else "bytes"
