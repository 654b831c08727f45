"""From the outbox to the platform, and the truth about what became of it."""
