"""Answer messages by rules: the first rule that matches replies, forwards, or both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator

from relay import ChatList, Context, Decision, Forward, Message, Plugin, Reply, Stop, normalise

Words = Annotated[tuple[str, ...], AfterValidator(lambda words: tuple(normalise(word) for word in words))]


class Rule(BaseModel):
    """One [[plugins.keyword_reply.rules]]: what must match, and what is done then."""

    name: str = Field(min_length=1)
    enabled: bool = True
    equals: Words = ()
    contains: Words = ()
    prefix: Words = ()
    chats: ChatList = ()
    reply: str = ""
    forward_to: ChatList = ()
    stop: bool = True

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        if not self.reply and not self.forward_to:
            raise ValueError("a rule needs `reply` or `forward_to`")
        return self

    def refuses(self, message: Message, words: str) -> str | None:
        """The condition that failed, or None; `words` is the message's text, normalised."""
        if not self.enabled:
            return "enabled = false"
        if self.chats and message.chat not in self.chats:
            return f"chat {message.chat} is not in chats"
        if not (self.equals or self.contains or self.prefix) or self._matches(words):
            return None
        return "no word of equals, contains or prefix is in it"

    def _matches(self, words: str) -> bool:
        return (
            words.strip() in self.equals
            or any(word in words for word in self.contains)
            or words.lstrip().startswith(self.prefix or ("\0",))
        )

    def decisions(self) -> Iterable[Decision]:
        """What the rule does, in order."""
        if self.reply:
            yield Reply(self.reply, rule=self.name)
        if self.forward_to:
            yield Forward(self.forward_to, rule=self.name)
        if self.stop:
            yield Stop(rule=self.name)


def _unique(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    names = [rule.name for rule in rules]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"two rules are called {doubled[0]!r}")
    return rules


class Settings(BaseModel):
    """The table [plugins.keyword_reply]."""

    rules: Annotated[tuple[Rule, ...], AfterValidator(_unique)] = ()


plugin = Plugin("keyword_reply", settings=Settings)


@plugin.on_message(types=["text"])
async def answer(message: Message, ctx: Context) -> list[Decision]:
    """Let the first rule that matches act; with `stop = false` the rules after it as well."""
    words = normalise(message.text)
    decided: list[Decision] = []
    for rule in ctx.settings.rules:
        refusal = rule.refuses(message, words)
        if refusal is not None:
            ctx.note(rule.name, refusal)
            continue
        decided += rule.decisions()
        if rule.stop:
            break
    return decided
