"""Tell a system of yours of every message: an HTTP POST for each, signed, never into your own network."""

import hashlib
import hmac
import json

from pydantic import BaseModel, SecretStr

from relay import Context, FetchError, Message, Plugin, fetch


class Settings(BaseModel):
    """[plugins.webhook] in bot.toml; give it `timeout = "10s"` beside its own keys where yours is slow."""

    url: str
    secret: SecretStr = SecretStr("")  # "${WEBHOOK_SECRET}"
    types: list[str] = ["text"]
    wait: float = 4.0  # seconds, redirects included


plugin = Plugin("webhook", settings=Settings)


@plugin.on_message()
async def tell(message: Message, ctx: Context) -> None:
    if message.type not in ctx.settings.types or ctx.dry_run:  # a rehearsal tells nobody
        return
    told = {
        "id": message.id,  # the same one if a message is told twice, as after a crash
        "chat": message.chat,
        "chat_name": ctx.names.of(message.chat),
        "sender": message.sender,
        "sender_name": ctx.names.of(message.sender),
        "type": message.type,
        "text": message.text,
        "time": message.time.isoformat(),
    }
    signed = json.dumps(told, sort_keys=True).encode()
    key = ctx.settings.secret.get_secret_value().encode()
    headers = {"X-Relay-Signature": hmac.new(key, signed, hashlib.sha256).hexdigest()} if key else {}
    try:
        answer = await fetch(ctx.settings.url, json=told, headers=headers, timeout=ctx.settings.wait)
    except FetchError as exc:
        ctx.log.warning("webhook_failed", message=message.id, reason=str(exc))
        ctx.note("", f"webhook: {exc}")
        return
    ctx.note("", f"webhook: {answer.status}")
