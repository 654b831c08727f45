"""Commands in chat for the people you name: /pause, /resume, /status, /why. Put it first in plugins.order."""

import datetime as dt

from pydantic import BaseModel

from relay import ChatList, Context, Decision, Duration, Message, Plugin, Reply, Stop


class Settings(BaseModel):
    """[plugins.admin] in bot.toml."""

    admins: ChatList  # wxids of people; nobody else is answered


plugin = Plugin("admin", settings=Settings)


@plugin.on_message(include_own=True)
async def command(message: Message, ctx: Context) -> Decision | list[Decision] | None:
    word, _, rest = message.text.strip().partition(" ")
    if message.sender in ctx.settings.admins and word in COMMANDS:
        return [Reply(await COMMANDS[word](message, ctx, rest.strip())), Stop()]
    until = await ctx.state.of(chat=message.chat).get("paused")
    return Stop(rule=f"paused until {until}") if until else None


async def pause(message: Message, ctx: Context, rest: str) -> str:
    try:
        lasting = Duration(rest or "30m")
    except ValueError as exc:
        return f"{rest}：{exc}"
    until = (ctx.now + dt.timedelta(seconds=lasting.seconds)).strftime("%m-%d %H:%M")
    await ctx.state.of(chat=message.chat).set("paused", until, ttl=lasting.seconds)
    return f"这个会话里先不处理消息，到 {until} 为止；/resume 提前恢复。"


async def resume(message: Message, ctx: Context, rest: str) -> str:
    await ctx.state.of(chat=message.chat).delete("paused")
    return "恢复处理。"


async def status(message: Message, ctx: Context, rest: str) -> str:
    told = await ctx.bot.status()
    counts = "，".join(f"{state} {many}" for state, many in told["deliveries"].items() if many)
    return f"待处理 {told['inbox']['waiting']}；投递：{counts or '无'}"


async def why(message: Message, ctx: Context, rest: str) -> str:
    heard = [each for each in await ctx.bot.messages(message.chat, 50) if not each["own"]]
    told = await ctx.bot.explain(rest or next((e["id"] for e in heard if e["text"][:1] != "/"), ""))
    if told is None:
        return "没有这条消息"
    lines = ["{plugin} {rule}：{decision} {reason}".format_map(each) for each in told["trace"]]
    lines += [f"→ {each['target']}：{each['state']} {each['error'] or ''}" for each in told["deliveries"]]
    return "\n".join([f"{told['id']} {told['state']}「{told['text'][:20]}」", *lines])[:2000]


COMMANDS = {"/pause": pause, "/resume": resume, "/status": status, "/why": why}
