"""What a plugin is made of: messages, decisions, filters and texts, and what a handler is given."""
