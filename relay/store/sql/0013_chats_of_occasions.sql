-- To forget somebody takes no look at everything that plugins were ever called for.
CREATE INDEX occasions_chat ON occasions (chat) WHERE chat <> '';
