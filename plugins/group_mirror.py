"""Mirror messages between chats: what is said in one is forwarded, verbatim, to the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator

from relay import ChatList, Context, Forward, Message, Plugin


class Route(BaseModel):
    """One [[plugins.group_mirror.routes]]: `from` and `to`, or `between`."""

    name: str = Field(min_length=1)
    enabled: bool = True
    from_: ChatList = Field(default=(), alias="from")
    to: ChatList = ()
    between: ChatList = ()
    types: tuple[str, ...] = ()
    not_types: tuple[str, ...] = ("system", "revoke")

    @model_validator(mode="after")
    def _one_way_or_all_ways(self) -> Route:
        if bool(self.between) == bool(self.from_ or self.to):
            raise ValueError("a route needs either `from` and `to`, or `between`")
        if not self.between and not (self.from_ and self.to):
            raise ValueError("a route needs both `from` and `to`")
        if len(self.between) == 1:
            raise ValueError("`between` needs at least two chats")
        return self

    def targets(self, message: Message) -> tuple[str, ...] | str:
        """The chats that get the message, or the condition that failed."""
        if not self.enabled:
            return "enabled = false"
        if message.chat not in (self.between or self.from_):
            return f"chat {message.chat} is not in {'between' if self.between else 'from'}"
        if self.types and message.type not in self.types:
            return f"type {message.type} is not in types"
        if message.type in self.not_types:
            return f"type {message.type} is in not_types"
        return tuple(chat for chat in self.between or self.to if chat != message.chat)


def _unique(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    names = [route.name for route in routes]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"two routes are called {doubled[0]!r}")
    return routes


class Settings(BaseModel):
    """The table [plugins.group_mirror]."""

    routes: Annotated[tuple[Route, ...], AfterValidator(_unique)] = ()


plugin = Plugin("group_mirror", settings=Settings)


@plugin.on_message()
async def mirror(message: Message, ctx: Context) -> list[Forward]:
    """Forward along every route that the message's chat begins."""
    forwards = []
    for route in ctx.settings.routes:
        targets = route.targets(message)
        if isinstance(targets, str):
            ctx.note(route.name, targets)
        else:
            forwards.append(Forward(targets, rule=route.name))
    return forwards
