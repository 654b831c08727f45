"""From the inbox to the outbox: the plugins, bounded and watched, and what they decide."""
