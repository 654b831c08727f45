"""What relay does not do: receiver and router in one process, on one loop. Tests show what it costs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from relay.clock import SystemClock
from relay.config import load
from relay.receiving.door import create_app
from relay.roles import build_receiver, build_router, load_plugins, open_store, receiver_settings
from relay.serving.server import Server


async def serve(path: Path) -> None:
    """Serve the public door of this bot.toml, and route, until killed."""
    config, clock = load(path), SystemClock()
    store = open_store(config, clock)
    router = build_router(config, store, clock, load_plugins(config).loaded)
    app = create_app(build_receiver(config, store, clock), receiver_settings(config))
    server = Server(app, config.server.host, config.server.port, 1, lambda: None)
    stop = asyncio.Event()
    await asyncio.gather(router.run(stop), server.serve_until(stop, None))


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
