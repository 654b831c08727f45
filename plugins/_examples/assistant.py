"""An assistant on any OpenAI-compatible endpoint, which remembers what was said in a chat."""

from pydantic import BaseModel, SecretStr

from relay import Context, FetchError, Message, Plugin, Reply, fetch


class Settings(BaseModel):
    """[plugins.assistant] in bot.toml, with `timeout = "30s"` beside these: a model takes its time."""

    base_url: str = "https://api.openai.com/v1"
    key: SecretStr = SecretStr("")  # "${OPENAI_API_KEY}"
    model: str = "gpt-4o-mini"
    prompt: str = "你是客服助手。回答简短，不知道就说不知道。"
    call: str = "小助手"  # what a message begins with that is meant for it; "" is every message
    remembered: int = 10  # messages of a chat, for an hour
    wait: float = 25.0  # seconds


plugin = Plugin("assistant", settings=Settings)


@plugin.on_message(types=["text"])
async def answer(message: Message, ctx: Context) -> Reply | None:
    ours: Settings = ctx.settings
    said = message.text.strip().lstrip("@")
    if not said.startswith(ours.call) or ctx.dry_run:
        return None
    memory = ctx.state.of(chat=message.chat)
    asked = {"role": "user", "content": said.removeprefix(ours.call).strip(" ,，:：\u2005")[:4000]}
    before = await memory.get("said") or []
    whole = [{"role": "system", "content": ours.prompt}, *before, asked]
    key = ours.key.get_secret_value()
    try:
        told = await fetch(
            f"{ours.base_url.rstrip('/')}/chat/completions",
            json={"model": ours.model, "messages": whole},
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=ours.wait,
            private=True,  # the address is yours, and may be your own machine's
        )
        words = str(told.json()["choices"][0]["message"]["content"]).strip() if told.ok else ""
    except (FetchError, LookupError, TypeError) as exc:
        ctx.log.warning("assistant_failed", message=message.id, reason=str(exc))
        words = ""
    if not words:
        return None  # nothing is said rather than an excuse; `relay explain` has the reason
    kept = [*before, asked, {"role": "assistant", "content": words}][-ours.remembered :]
    await memory.set("said", kept, ttl=3600)
    return Reply(words)
