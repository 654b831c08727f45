"""Bring what matters to the staff room, with who said it, and where."""

from pydantic import BaseModel

from relay import ChatList, Context, Decision, Forward, Message, Plugin, Send, Words, normalise


class Settings(BaseModel):
    """[plugins.staff_room] in bot.toml."""

    staff: ChatList  # where it goes
    words: Words = ("投诉", "退款", "complaint", "refund")
    quiet: int = 10  # minutes in which the same person is not announced again, only forwarded


plugin = Plugin("staff_room", settings=Settings)


@plugin.on_message()
async def bring(message: Message, ctx: Context) -> list[Decision]:
    said = normalise(message.text)
    found = next((word for word in ctx.settings.words if word in said), None)
    if found is None or message.chat in ctx.settings.staff:
        return []
    who, where = ctx.names.of(message.sender), ctx.names.of(message.chat)
    decisions: list[Decision] = []
    told = ctx.state.of(chat=message.chat, sender=message.sender)
    if await told.get("announced") is None:
        await told.set("announced", True, ttl=ctx.settings.quiet * 60)
        line = f"【{found}】{who} @ {where} {message.time:%H:%M}"
        decisions += [Send(chat, line) for chat in ctx.settings.staff]
    return [*decisions, Forward(ctx.settings.staff)]
