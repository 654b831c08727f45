"""relay: a chat-relay bot framework for WeCom groups.

Everything that a plugin needs is here.
"""

from relay import lean  # noqa: F401 - before whatever loads structlog
from relay.authoring.conversation import Conversation
from relay.authoring.decisions import Decision, EndConversation, Forward, Reply, Send, Stop, Would
from relay.authoring.delivery import Delivery
from relay.authoring.event import Event
from relay.authoring.fetching import Fetched, FetchError, fetch
from relay.authoring.filters import Filter, MessageTypes, UniqueNames, listed
from relay.authoring.matching import Keywords, Literals, Words, normalise
from relay.authoring.message import Message
from relay.authoring.outgoing import (
    Outgoing,
    announcement,
    card,
    file,
    link,
    picture,
    program,
    text,
    video,
    voice,
)
from relay.authoring.patterns import Pattern, Patterns
from relay.authoring.plugin import Context, Plugin
from relay.authoring.selection import Selection
from relay.authoring.templates import ReplyList, Template, placeholders
from relay.config.problems import UnfitError, refuse
from relay.config.values import ChatList, Duration, Size
from relay.language import Text

__version__ = "0.1.0"

__all__ = [
    "ChatList",
    "Context",
    "Conversation",
    "Decision",
    "Delivery",
    "Duration",
    "EndConversation",
    "Event",
    "FetchError",
    "Fetched",
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
    "Selection",
    "Send",
    "Size",
    "Stop",
    "Template",
    "Text",
    "UnfitError",
    "UniqueNames",
    "Words",
    "Would",
    "announcement",
    "card",
    "fetch",
    "file",
    "link",
    "listed",
    "normalise",
    "picture",
    "placeholders",
    "program",
    "refuse",
    "text",
    "video",
    "voice",
]
