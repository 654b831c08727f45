"""relay: a chat-relay bot framework for WeCom groups."""

__version__ = "0.1.0"
