"""What a plugin's author can import, and nothing by accident."""

from __future__ import annotations

import relay

PUBLIC = [
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


def test_the_public_names_are_these() -> None:
    """A name that is added here is promised; one that is taken away breaks somebody's plugin."""
    assert relay.__all__ == PUBLIC


def test_the_public_names_are_sorted_and_there() -> None:
    assert sorted(PUBLIC) == PUBLIC
    assert all(hasattr(relay, name) for name in PUBLIC)
