-- Large callbacks whose bytes were kept before they were read, until they are.
CREATE TABLE aside (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  body        BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 1 CHECK (attempts > 0)  -- times that its reading was begun
) STRICT;
