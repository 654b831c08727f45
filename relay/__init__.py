"""relay: a chat-relay bot framework for WeCom groups.

Everything that a plugin needs is here.
"""

from relay.config.values import ChatList, Duration, Size
from relay.decisions import Decision, Forward, Reply, Send, Stop
from relay.matching import normalise
from relay.message import Message
from relay.outgoing import Outgoing, announcement, card, file, link, picture, program, text, video, voice
from relay.plugin import Context, Plugin

__version__ = "0.1.0"

__all__ = [
    "ChatList",
    "Context",
    "Decision",
    "Duration",
    "Forward",
    "Message",
    "Outgoing",
    "Plugin",
    "Reply",
    "Send",
    "Size",
    "Stop",
    "announcement",
    "card",
    "file",
    "link",
    "normalise",
    "picture",
    "program",
    "text",
    "video",
    "voice",
]
