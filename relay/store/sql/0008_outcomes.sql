-- What was fetched from the platform's log, because nobody heard it when it was said.
ALTER TABLE messages ADD COLUMN late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1));
