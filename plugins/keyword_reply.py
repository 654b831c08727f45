"""Answer messages by rules: the first rule that matches replies, forwards, or both."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from relay import (
    ChatList,
    Context,
    Decision,
    Duration,
    Filter,
    Forward,
    Keywords,
    Literals,
    Message,
    Outgoing,
    Pattern,
    Patterns,
    Plugin,
    Reply,
    ReplyList,
    Selection,
    Stop,
    Template,
    Text,
    UnfitError,
    UniqueNames,
    Words,
    Would,
    listed,
    placeholders,
    refuse,
)

FEW = 50
"""With so many rules or fewer the trace has a line for each; with more, one for those without a chance."""

NOTHING_TO_DO = Text("规则要写 `reply` 或 `forward_to`", "a rule needs `reply` or `forward_to`")
NO_LIST = Text("没有可选的：`reply` 不是列表", "has nothing to choose from: `reply` is not a list")
NO_COOLDOWN = Text("只和 `cooldown` 一起用", "counts only with `cooldown`")
COOLDOWN_HINT = Text('加上 cooldown = "10m"', 'add cooldown = "10m"')
NO_DELAY = Text("只用于 `reply`：转发立即进行", "counts only with `reply`: a forward goes at once")
TAKEN = Text("`{name}` 已经是占位符", "`{name}` is a placeholder already")
OTHER_NAME = Text("给分组换个名字", "call the group something else")
NOBODY = Text(
    "把 `{key}` 全排除了：规则永远不会命中", "takes back all of `{key}`: the rule would never match"
)
EVERYTHING = Text(
    "没有 equals、contains、contains_all、prefix、regex：每条消息都会命中",
    "has no equals, contains, contains_all, prefix or regex: it matches every message",
    "matches_everything",
)


class Rule(Filter):
    """One [[plugins.keyword_reply.rules]]: what must match, and what is done then."""

    name: str = Field(min_length=1)
    enabled: bool = True
    observe: bool = False
    equals: Words = ()
    contains: Words = ()
    contains_all: Words = ()
    prefix: Words = ()
    regex: tuple[Pattern, ...] = ()
    chats: ChatList = ()
    not_chats: ChatList = ()
    accounts: ChatList = ()
    chat_type: Literal["room", "private", "any"] = "any"
    cooldown: Duration = Duration("0s")
    cooldown_per: Literal["chat", "sender"] = "chat"
    reply: ReplyList = Field(default="", validate_default=True)
    choose: Literal["all", "random", "rotate"] = "all"
    delay: Duration = Duration("0s")
    forward_to: ChatList = ()
    late: Literal["skip", "act"] = "skip"
    stop: bool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        refuse(self._nonsense())
        return self

    def _nonsense(self) -> Iterator[UnfitError]:
        if not self.reply and not self.forward_to:
            yield UnfitError(NOTHING_TO_DO)
        if self.choose != "all" and not self.reply.listed:
            yield UnfitError(NO_LIST, at=("choose",))
        if self.cooldown_per != "chat" and not self.cooldown:
            yield UnfitError(NO_COOLDOWN, COOLDOWN_HINT, at=("cooldown_per",))
        if self.delay and not self.reply:
            yield UnfitError(NO_DELAY, at=("delay",))
        yield from self._overlaps("chats", self.chats, self.not_chats)
        yield from self._overlaps("senders", self.senders, self.not_senders)
        yield from self._ambiguous()
        yield from self.reply.unknown(self.groups, at=("reply",))

    def _ambiguous(self) -> Iterator[UnfitError]:
        for index, pattern in enumerate(self.regex):
            for name in set(pattern.names).intersection(Template.KNOWN):
                yield UnfitError(TAKEN.filled(name=name), OTHER_NAME, at=("regex", index))

    def _overlaps(self, key: str, wanted: Sequence[str], unwanted: Sequence[str]) -> Iterator[UnfitError]:
        if wanted and set(wanted) <= set(unwanted):
            yield UnfitError(NOBODY.filled(key=key), at=(f"not_{key}",))

    def warnings(self) -> Iterator[tuple[str, Text]]:
        """What is allowed, and perhaps not what was meant."""
        if self.enabled and not self.matchers:
            yield "", EVERYTHING

    def selection(self) -> Selection | None:
        """What `relay check` compares with other rules and routes."""
        if not self.enabled:
            return None
        return Selection(
            chats=self.chats,
            not_chats=self.not_chats,
            senders=self.senders,
            not_senders=self.not_senders,
            accounts=self.accounts,
            chat_type=self.chat_type,
            hours=self.hours,
            days=self.days,
            words=self.literals,
            patterns=[pattern.text for pattern in self.regex],
            late=self.late == "act",
            always=not (self.cooldown or self.observe),
            final=self.stop and not self.observe,
            to=() if self.observe else self.forward_to,
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """The placeholders that the patterns add."""
        return tuple(name for pattern in self.regex for name in pattern.names)

    @property
    def literals(self) -> Literals:
        """The words that can make it match; a rule that is not enabled has none."""
        if not self.enabled:
            return Literals()
        return Literals(self.equals, self.contains, self.contains_all, self.prefix)

    @cached_property
    def matchers(self) -> tuple[str, ...]:
        """The keys that say what must match; none of them means that everything does."""
        keys = ("equals", "contains", "contains_all", "prefix", "regex")
        return tuple(key for key in keys if getattr(self, key))

    def refusal(self, message: Message) -> str | None:
        """The first condition about chat, account, sender or time that the message does not meet."""
        if not self.enabled:
            return "enabled = false"
        if message.late and self.late == "skip":
            return 'late, and late = "skip"'
        if self.chats and message.chat not in self.chats:
            return self.not_among("chats", message.chat)
        if message.chat in self.not_chats:
            return self.is_among("not_chats", message.chat)
        if self.accounts and message.account not in self.accounts:
            return self.not_among("accounts", message.account)
        if self.chat_type not in ("any", message.chat_type):
            return f"chat_type: {message.chat_type}, not {self.chat_type}"
        return super().refusal(message)

    def mismatch(self, message: Message, *, may_match: bool) -> str | None:
        """Why it does not match, where none of its words does; a rule without words and patterns does."""
        if not self.matchers or (may_match and self._finds(message.text)):
            return None
        return self._no_match if message.text else f"type {message.type} has no text to look into"

    def _finds(self, text: str) -> bool:
        return any(pattern.search(text) is not None for pattern in self.regex)

    @cached_property
    def _no_match(self) -> str:
        """Put together once: most messages are told it of most rules."""
        words = {key: self.none_of(key) for key in self.matchers if key != "regex"}
        if self.contains_all:
            words["contains_all"] = words["contains_all"].replace("none of", "not all of", 1)
        if self.regex:
            words["regex"] = f"regex: no match of {listed([pattern.text for pattern in self.regex])}"
        return "; ".join(words.values())

    def values(self, message: Message, ctx: Context) -> dict[str, str]:
        """What the placeholders stand for; a group of a pattern that does not match is empty."""
        values = dict.fromkeys(self.groups, "")
        for pattern in reversed(self.regex):
            values |= pattern.search(message.text) or {}
        return values | placeholders(message, ctx.names)


class Book:
    """All rules, and which of them can match a message at all."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._keywords = Keywords(rule.literals for rule in rules)
        self._patterns = Patterns(p for rule in rules if rule.enabled for p in rule.regex)
        self._with_pattern = frozenset(n for n, rule in enumerate(rules) if rule.enabled and rule.regex)
        self._always = frozenset(n for n, rule in enumerate(rules) if rule.enabled and not rule.matchers)
        self._anywhere = frozenset(n for n, rule in enumerate(rules) if not rule.chats)
        self._in_chat: defaultdict[str, set[int]] = defaultdict(set)
        for number, rule in enumerate(rules):
            for chat in rule.chats:
                self._in_chat[chat].add(number)

    def chances(self, text: str) -> tuple[Set[int], Set[int]]:
        """The numbers of the rules that a text matches by their words, and of those worth asking besides."""
        if not text:
            return set(), set(self._always)
        patterns = self._with_pattern if self._patterns.may_match(text) else ()
        return self._keywords.matching(text), self._always.union(patterns)

    def to_ask(self, message: Message, possible: Set[int], *, every: bool) -> Sequence[int]:
        """All of a few rules, in order; of many, those that are possible and for this chat."""
        if every or len(self.rules) <= FEW:
            return range(len(self.rules))
        return sorted(possible & self._anywhere | possible & self._in_chat.get(message.chat, set()))


class Settings(BaseModel):
    """The table [plugins.keyword_reply]."""

    rules: Annotated[tuple[Rule, ...], UniqueNames] = ()

    def model_post_init(self, _: object) -> None:
        """Make the automaton while loading, not with the first message."""
        assert self.book is not None  # noqa: S101 - what is asked for once is kept

    @cached_property
    def book(self) -> Book:
        """The rules, ready to be asked."""
        return Book(self.rules)


plugin = Plugin("keyword_reply", settings=Settings)


@plugin.on_message()
async def answer(message: Message, ctx: Context) -> list[Decision]:
    """Let the first rule that matches act; with `stop = false` the rules after it as well."""
    book: Book = ctx.settings.book
    matching, worth_asking = book.chances(message.text)
    decided: list[Decision] = []
    asked = end = 0
    for number in book.to_ask(message, matching | worth_asking, every=ctx.detailed):
        rule, asked, end = book.rules[number], asked + 1, number + 1
        refusal = rule.refusal(message)
        if refusal is None and number not in matching:
            refusal = rule.mismatch(message, may_match=number in worth_asking)
        if refusal is None and rule.cooldown:
            refusal = await _cooling(rule, message, ctx)
        if refusal is not None:
            ctx.note(rule.name, refusal)
            continue
        decisions = await _decide(rule, message, ctx)
        decided += [Would(*decisions)] if rule.observe else decisions
        if rule.stop and not rule.observe:
            if ctx.detailed or len(book.rules) <= FEW:
                for later in book.rules[end:]:
                    ctx.note(later.name, f"{rule.name} stopped it before")
            break
    else:
        end = len(book.rules)
    if end > asked:
        ctx.note("", f"{end - asked} other rules: off, for other chats, or nothing of theirs is in it")
    return decided


async def _decide(rule: Rule, message: Message, ctx: Context) -> list[Forward | Reply | Stop]:
    """What the rule does, in order."""
    decided: list[Forward | Reply | Stop] = []
    if rule.reply:
        values = rule.values(message, ctx)
        chosen = [rule.reply[index].fill(values) for index in await _choice(rule, message, ctx)]
        told = [message for message in chosen if not _blank(message)]
        if len(told) < len(chosen):
            ctx.note(rule.name, "the reply is empty once filled in")
        if told:
            decided.append(Reply(*told, rule=rule.name, delay=rule.delay.seconds))
    if rule.forward_to:
        decided.append(Forward(rule.forward_to, rule=rule.name))
    if rule.stop:
        decided.append(Stop(rule=rule.name))
    return decided


def _blank(message: Outgoing) -> bool:
    """Whether it is a text without a word in it, which the platform would refuse."""
    return message.type == "text" and not any(item["text"].strip() for item in message.content["items"])


async def _cooling(rule: Rule, message: Message, ctx: Context) -> str | None:
    """Why the rule has to wait, or None; then its cooldown begins."""
    key = f"{_kept(rule, 'cooldown')} {_whose(rule, message)}"
    begun = await ctx.state.get(key)
    if begun is None:
        until = ctx.now + dt.timedelta(seconds=rule.cooldown.seconds)
        since = f"since {message.id}, until {until:%m-%d %H:%M:%S}"
        # Two messages in different chats may get here at once; only one of them finds nothing.
        if await ctx.state.compare_and_set(key, None, since, ttl=rule.cooldown.seconds):
            return None
        begun = await ctx.state.get(key)
    told = f" ({begun})" if isinstance(begun, str) else ""
    return f"cooldown: {rule.cooldown} per {rule.cooldown_per} is not over{told}"


def _kept(rule: Rule, what: str) -> str:
    """Under which key a rule's memory begins: one that only observes takes nothing from its live self."""
    return f"{'observed ' if rule.observe else ''}{what} {rule.name}"


def _whose(rule: Rule, message: Message) -> str:
    if rule.cooldown_per == "sender":
        return message.sender
    return message.chat if message.chat_type == "room" else f"{message.account} {message.chat}"


async def _choice(rule: Rule, message: Message, ctx: Context) -> Sequence[int]:
    """Which of the replies are sent. A message asked about twice gets the same answer twice."""
    many = len(rule.reply)
    if rule.choose == "rotate":
        return [(await ctx.state.increment(_kept(rule, "rotate")) - 1) % many]
    if rule.choose == "random":
        seed = blake2b(f"{message.id} {rule.name}".encode(), digest_size=8).digest()
        return [int.from_bytes(seed) % many]
    return range(many)
