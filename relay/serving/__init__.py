"""An HTTP server of one role: connections that nobody can hold open, and none that a restart closes."""
