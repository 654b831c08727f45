"""The platform as an ASGI app: it judges by the platform's documents, not by what the bot expects."""
