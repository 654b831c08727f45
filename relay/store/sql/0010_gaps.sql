-- Times in which nobody listened, or answered too late: what was said then is fetched from the platform's log.
CREATE TABLE gaps (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  begins INTEGER NOT NULL,
  ends   INTEGER NOT NULL,
  open   INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),  -- 1: nobody has listed the chats to be fetched yet
  CHECK (ends >= begins)
) STRICT;
CREATE INDEX gaps_ends ON gaps (ends);

-- Chats that are still to be fetched because of a gap, each from the last message that was heard before it.
CREATE TABLE repairs (
  account  TEXT NOT NULL,
  chat     TEXT NOT NULL,
  after    TEXT NOT NULL,             -- the svrid of that message, "" where it had none
  begins   INTEGER NOT NULL,
  ends     INTEGER NOT NULL,
  heard_at INTEGER NOT NULL,          -- when something was heard there last: recent chats go first
  PRIMARY KEY (account, chat)
) STRICT, WITHOUT ROWID;
CREATE INDEX repairs_next ON repairs (heard_at);
