"""The bot without a network: a plugin alone on its bench, or the whole bot on the simulator."""

from relay.simulator.clockwork import ManualClock
from relay.simulator.settings import SimulatorSettings
from relay.testing.asgi import AsgiTransport, asgi_call
from relay.testing.bench import Bench
from relay.testing.bot import BASE, SECRETS, Bot
from relay.testing.judgement import Decisions

__all__ = [
    "BASE",
    "SECRETS",
    "AsgiTransport",
    "Bench",
    "Bot",
    "Decisions",
    "ManualClock",
    "SimulatorSettings",
    "asgi_call",
]
