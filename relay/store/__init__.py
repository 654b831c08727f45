"""What is kept: the inbox, the outbox, and everything that tells why."""
