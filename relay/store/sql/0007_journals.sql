-- How far each receiver's journal has been put into the database.
CREATE TABLE journals (
  name   TEXT PRIMARY KEY,
  epoch  INTEGER NOT NULL CHECK (epoch > 0),
  offset INTEGER NOT NULL CHECK (offset >= 0)
) STRICT, WITHOUT ROWID;

-- A large body is read by the receiver whose journal brought it, or by whoever adopts that journal.
ALTER TABLE aside RENAME TO aside_before;
CREATE TABLE aside (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  body        BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  journal     TEXT NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),  -- times that its reading was begun
  parts       INTEGER NOT NULL DEFAULT 0 CHECK (parts >= 0)      -- that are kept of it
) STRICT;
INSERT INTO aside SELECT id, body, received_at, '', attempts, 0 FROM aside_before;
DROP TABLE aside_before;
