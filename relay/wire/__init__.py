"""The platform's words: what its callbacks, requests and answers look like, and nothing of what they mean."""
