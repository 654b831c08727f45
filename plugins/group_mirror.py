"""Mirror messages between chats: what is said in one goes to the others, verbatim or saying who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from relay import (
    ChatList,
    Context,
    Decision,
    Filter,
    Forward,
    Literals,
    Message,
    MessageTypes,
    Plugin,
    Selection,
    Send,
    Template,
    Text,
    UnfitError,
    UniqueNames,
    Words,
    Would,
    normalise,
    placeholders,
    refuse,
)

ATTRIBUTION = Template("{sender}@{chat}:")

EITHER = Text(
    "路由要么写 `from` 和 `to`，要么写 `between`", "a route needs either `from` and `to`, or `between`"
)
BOTH = Text("路由的 `from` 和 `to` 都要写", "a route needs both `from` and `to`")
TWO_CHATS = Text("至少要两个会话", "needs at least two chats")
NOWHERE = Text(
    "和 `from` 是同一个会话：什么也不会转发", "is the same chat as `from`: nothing would ever be sent"
)
NEVER_BACK = Text("消息不会转回它所在的会话", "nothing goes back to where it was said")
NO_TYPE = Text("全在 `not_types` 里：路由永远不会命中", "are all in `not_types`: the route would never match")
NOBODY = Text(
    "把 `senders` 全排除了：路由永远不会命中", "takes back all of `senders`: the route would never match"
)
ALLOW_ALL = Text("写 not_types = []", "write not_types = []")
NOT_SAID = Text('只用于 mode = "attributed"', 'counts only with mode = "attributed"')


NOT_ONE = Text("代表好几个会话", "stands for several chats")
A_ROOM = Text("是群，不是账号", "is a room, not an account")
WRITE_ACCOUNT = Text("写我们一个账号的 wxid", "write the wxid of one of our accounts")

_CHATS: TypeAdapter[tuple[str, ...]] = TypeAdapter(ChatList)


def _account(written: str, info: ValidationInfo) -> str:
    """The wxid of one account, which may be named in [chats]."""
    try:
        wxids = _CHATS.validate_python(written or [], context=info.context)
    except ValidationError as exc:  # told at the key, not at the first item of a list
        raise exc.errors()[0]["ctx"]["error"] from None
    if len(wxids) > 1:
        raise UnfitError(NOT_ONE, WRITE_ACCOUNT)
    if wxids and wxids[0].startswith("R:"):
        raise UnfitError(A_ROOM, WRITE_ACCOUNT)
    return "".join(wxids)


class Route(Filter):
    """One [[plugins.group_mirror.routes]]: `from` and `to`, or `between`."""

    name: str = Field(min_length=1)
    enabled: bool = True
    observe: bool = False
    from_: ChatList = Field(default=(), alias="from")
    to: ChatList = ()
    between: ChatList = ()
    account: Annotated[str, AfterValidator(_account)] = ""
    include_own: bool = False
    types: MessageTypes = ()
    not_types: MessageTypes = ("system", "revoke")
    contains: Words = ()
    not_contains: Words = ()
    late: Literal["skip", "act"] = "act"
    mode: Literal["verbatim", "attributed"] = "verbatim"
    attribution: Template = ATTRIBUTION

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        refuse(self._nonsense())
        return self

    def _nonsense(self) -> Iterator[UnfitError]:
        yield from self._misled()
        if self.types and set(self.types) <= set(self.not_types):
            hint = ALLOW_ALL if set(self.types) <= {"system", "revoke"} else None
            yield UnfitError(NO_TYPE, hint, at=("types",))
        if self.senders and set(self.senders) <= set(self.not_senders):
            yield UnfitError(NOBODY, at=("not_senders",))
        if self.mode == "verbatim" and self.attribution != ATTRIBUTION:
            yield UnfitError(NOT_SAID, at=("attribution",))
        yield from self.attribution.unknown(at=("attribution",))

    def _misled(self) -> Iterator[UnfitError]:
        if bool(self.between) == bool(self.from_ or self.to):
            yield UnfitError(EITHER)
        elif self.between and len(self.between) == 1:
            yield UnfitError(TWO_CHATS, at=("between",))
        elif not self.between and not (self.from_ and self.to):
            yield UnfitError(BOTH)
        elif not self.between and set(self.from_) == set(self.to) and len(self.to) == 1:
            yield UnfitError(NOWHERE, NEVER_BACK, at=("to",))

    def selection(self) -> Selection | None:
        """What `relay check` compares with other routes and rules."""
        if not self.enabled:
            return None
        return Selection(
            chats=self.between or self.from_,
            senders=self.senders,
            not_senders=self.not_senders,
            types=self.types,
            not_types=self.not_types,
            hours=self.hours,
            days=self.days,
            words=Literals(contains=self.contains),
            not_contains=self.not_contains,
            late=self.late == "act",
            own=self.include_own,
            always=not self.observe,
            to=() if self.observe else self.between or self.to,
            account=self.account,
            verbatim=self.mode == "verbatim",
            once=True,
            keys={"chats": "between" if self.between else "from"},
        )

    def targets(self, message: Message) -> Sequence[str]:
        """The chats that get what is said in this one."""
        return [chat for chat in self.between or self.to if chat != message.chat]

    def refusal(self, message: Message) -> str | None:
        """The first condition that the message does not meet, or None."""
        if not self.enabled:
            return "enabled = false"
        if message.chat not in (self.between or self.from_):
            return self.not_among("between" if self.between else "from", message.chat)
        if message.late and self.late == "skip":
            return 'late, and late = "skip"'
        if message.own and not self.include_own:
            return "own, and include_own is not set"
        if self.types and message.type not in self.types:
            return self.not_among("types", message.type)
        if message.type in self.not_types:
            return self.is_among("not_types", message.type)
        return super().refusal(message) or self._wording(message)

    def _wording(self, message: Message) -> str | None:
        words = normalise(message.text) if self.contains or self.not_contains else ""
        if self.contains and not any(word in words for word in self.contains):
            return self.none_of("contains")
        unwanted = next((word for word in self.not_contains if word in words), None)
        return f"not_contains: {unwanted} is in it" if unwanted is not None else None

    def decisions(self, message: Message, targets: Sequence[str], ctx: Context) -> Iterator[Forward | Send]:
        """How the message gets to these chats."""
        if self.mode == "verbatim":
            yield Forward(targets, rule=self.name, account=self.account)
            return
        said_by = self.attribution.fill(placeholders(message, ctx.names))
        if message.type != "text" or not message.text.strip():
            # The platform refuses an empty text, and then nothing would follow it.
            preface = said_by if said_by.strip() else None
            yield Forward(targets, rule=self.name, account=self.account, preface=preface)
            return
        for chat in targets:
            yield Send(chat, said_by + message.text, rule=self.name, account=self.account)


class Settings(BaseModel):
    """The table [plugins.group_mirror]."""

    routes: Annotated[tuple[Route, ...], UniqueNames] = ()


plugin = Plugin("group_mirror", settings=Settings)


def _of_own(settings: Settings) -> bool:
    return any(route.enabled and route.include_own for route in settings.routes)


@plugin.on_message(include_own=_of_own)
async def mirror(message: Message, ctx: Context) -> list[Decision]:
    """Send along every route that the message's chat begins, to each chat once."""
    decided: list[Decision] = []
    served: dict[str, str] = {}
    for route in ctx.settings.routes:
        refusal = route.refusal(message)
        if refusal is not None:
            ctx.note(route.name, refusal)
            continue
        new = []
        taken = dict(served) if route.observe else served
        for chat in route.targets(message):
            if chat in taken:
                ctx.note(route.name, f"{chat} gets it by {taken[chat]} already")
            else:
                new.append(chat)
                taken[chat] = route.name
        if new:
            decisions = route.decisions(message, new, ctx)
            decided += [Would(*decisions)] if route.observe else decisions
    return decided
