"""Ask one question after the other, and bring the answers to the staff room."""

from pydantic import BaseModel

from relay import ChatList, Context, Conversation, Decision, Message, Plugin, Reply, Send


class Settings(BaseModel):
    """[plugins.questionnaire] in bot.toml."""

    start: str = "报名"
    questions: list[str] = ["您的姓名？", "几个人参加？", "联系电话？"]
    staff: ChatList  # where the answers go
    within: str = "10m"  # for each answer
    cancel: str = "取消"


plugin = Plugin("questionnaire", settings=Settings)


@plugin.on_message(types=["text"])
async def begin(message: Message, ctx: Context) -> Reply | None:
    if message.text.strip() != ctx.settings.start:
        return None
    await ctx.state.of(chat=message.chat, sender=message.sender).set("answers", [])
    return ask(ctx, 0)


def ask(ctx: Context, number: int) -> Reply:
    return Reply(ctx.settings.questions[number], then=answered, within=ctx.settings.within, on_timeout=late)


async def answered(message: Message, ctx: Context) -> Decision | list[Decision]:
    ours = ctx.state.of(chat=message.chat, sender=message.sender)
    if message.text.strip() == ctx.settings.cancel:
        await ours.delete("answers")
        return Reply("好的，已取消。")
    answers = [*(await ours.get("answers") or []), message.text.strip() or f"[{message.type}]"]
    if len(answers) < len(ctx.settings.questions):
        await ours.set("answers", answers)
        return ask(ctx, len(answers))
    await ours.delete("answers")
    pairs = zip(ctx.settings.questions, answers, strict=True)
    sheet = "\n".join([f"{ctx.names.of(message.sender)}：", *(f"{q} {a}" for q, a in pairs)])
    return [Reply("谢谢，已登记！"), *(Send(chat, sheet) for chat in ctx.settings.staff)]


async def late(conversation: Conversation, ctx: Context) -> Reply:
    await ctx.state.of(chat=conversation.chat, sender=conversation.sender).delete("answers")
    return Reply(f"先到这里。想继续时，请再发“{ctx.settings.start}”。")
