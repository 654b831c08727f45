"""Every morning at nine: how much was said yesterday, by how many, where, and what could not be sent."""

import datetime as dt

from pydantic import BaseModel

from relay import ChatList, Context, Delivery, Message, Plugin, Send


class Settings(BaseModel):
    """[plugins.daily_report] in bot.toml."""

    to: ChatList
    account: str = ""  # ours to send by; "" is the one that hears the chat
    top: int = 10  # so many chats are named


plugin = Plugin("daily_report", settings=Settings)
KEPT = 3 * 86_400  # seconds


async def add(ctx: Context, day: dt.date, key: str, item: str) -> None:
    counts = await ctx.state.get(f"{day} {key}") or {}
    await ctx.state.set(f"{day} {key}", counts | {item: counts.get(item, 0) + 1}, ttl=KEPT)


@plugin.on_message()
async def count(message: Message, ctx: Context) -> None:
    await add(ctx, message.time.date(), "chats", message.chat)
    await add(ctx, message.time.date(), "people", message.sender)


@plugin.on_delivery(states=["failed", "held", "expired"])
async def trouble(delivery: Delivery, ctx: Context) -> None:
    await add(ctx, delivery.time.date(), "trouble", delivery.state)


@plugin.every("1d", at="09:00")
async def report(ctx: Context) -> list[Send]:
    day = ctx.now.date() - dt.timedelta(days=1)
    chats, people, bad = [await ctx.state.get(f"{day} {key}") or {} for key in ("chats", "people", "trouble")]
    lines = [f"{day} 日报：{sum(chats.values())} 条消息，{len(people)} 人，{len(chats)} 个会话"]
    busiest = sorted(chats, key=lambda chat: (-chats[chat], chat))[: ctx.settings.top]
    lines += [f"· {ctx.names.of(chat)}：{chats[chat]}" for chat in busiest]
    lines += [f"⚠ 投递 {state}：{times}" for state, times in sorted(bad.items())]
    return [Send(chat, "\n".join(lines), account=ctx.settings.account) for chat in ctx.settings.to]
