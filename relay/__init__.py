"""relay: a chat-relay bot framework for WeCom groups.

Everything that a plugin needs is here.
"""

from relay import lean  # noqa: F401 - before whatever loads structlog
from relay.config.problems import UnfitError, refuse
from relay.config.values import ChatList, Duration, Size
from relay.decisions import Decision, Forward, Reply, Send, Stop
from relay.filters import Filter, MessageTypes, UniqueNames
from relay.language import Text
from relay.matching import Keywords, Literals, Words, normalise
from relay.message import Message
from relay.outgoing import Outgoing, announcement, card, file, link, picture, program, text, video, voice
from relay.patterns import Pattern, Patterns
from relay.plugin import Context, Plugin
from relay.templates import ReplyList, Template, placeholders

__version__ = "0.1.0"

__all__ = [
    "ChatList",
    "Context",
    "Decision",
    "Duration",
    "Filter",
    "Forward",
    "Keywords",
    "Literals",
    "Message",
    "MessageTypes",
    "Outgoing",
    "Pattern",
    "Patterns",
    "Plugin",
    "Reply",
    "ReplyList",
    "Send",
    "Size",
    "Stop",
    "Template",
    "Text",
    "UnfitError",
    "UniqueNames",
    "Words",
    "announcement",
    "card",
    "file",
    "link",
    "normalise",
    "picture",
    "placeholders",
    "program",
    "refuse",
    "text",
    "video",
    "voice",
]
