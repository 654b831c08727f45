-- What plugins handle beside messages: the platform's events, changes of deliveries, ticks, and questions without answer.
-- Nothing is written here but what a plugin that runs has registered for.
CREATE TABLE occasions (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT NOT NULL CHECK (kind IN ('event', 'delivery', 'tick', 'timeout')),
  plugin   TEXT NOT NULL DEFAULT '',  -- whose tick or time-out; '': whoever has registered
  handler  TEXT NOT NULL DEFAULT '',
  subject  INTEGER,                   -- the event, the delivery, or the conversation that it was
  became   TEXT NOT NULL DEFAULT '',  -- the state that the delivery came to
  place    INTEGER NOT NULL DEFAULT 0,  -- its place in line then: an operator's retry gives it another one
  depth    INTEGER NOT NULL DEFAULT 0,  -- how many changes of deliveries led to each other up to this one
  account  TEXT NOT NULL DEFAULT '',
  chat     TEXT NOT NULL DEFAULT '',
  sender   TEXT NOT NULL DEFAULT '',
  message  INTEGER,                   -- what the question was asked because of
  detail   TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(detail)),
  at       INTEGER NOT NULL,
  state    TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'handled', 'skipped', 'set_aside')),
  reason   TEXT,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  CHECK ((kind = 'tick') = (subject IS NULL)),
  CHECK ((kind = 'delivery') = (became <> '')),
  CHECK (kind NOT IN ('tick', 'timeout') OR (plugin <> '' AND handler <> '')),
  CHECK (state NOT IN ('skipped', 'set_aside') OR reason IS NOT NULL)
) STRICT;
CREATE INDEX occasions_waiting ON occasions (id) WHERE state = 'waiting';
CREATE UNIQUE INDEX occasions_event ON occasions (subject) WHERE kind = 'event';
CREATE UNIQUE INDEX occasions_delivery ON occasions (subject, became, place) WHERE kind = 'delivery';
CREATE UNIQUE INDEX occasions_timeout ON occasions (subject) WHERE kind = 'timeout';
CREATE UNIQUE INDEX occasions_tick ON occasions (plugin, handler) WHERE kind = 'tick' AND state = 'waiting';
CREATE INDEX occasions_message ON occasions (message) WHERE message IS NOT NULL;
CREATE INDEX occasions_sender ON occasions (sender) WHERE sender <> '';

-- What each plugin decided about it, or which condition failed.
CREATE TABLE occasion_traces (
  occasion INTEGER NOT NULL REFERENCES occasions (id) ON DELETE CASCADE,
  ordinal  INTEGER NOT NULL,
  plugin   TEXT NOT NULL,
  rule     TEXT NOT NULL,
  decision TEXT NOT NULL,
  reason   TEXT NOT NULL,
  ms       REAL NOT NULL,
  PRIMARY KEY (occasion, ordinal)
) STRICT, WITHOUT ROWID;

-- A delivery comes of a message or of an occasion; what is forwarded is a message.
ALTER TABLE deliveries ALTER COLUMN message DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN occasion INTEGER REFERENCES occasions (id)
  CHECK ((message IS NULL) = (occasion IS NOT NULL)) CHECK (kind = 'send' OR message IS NOT NULL);
CREATE UNIQUE INDEX deliveries_of_occasion ON deliveries (occasion, plugin, rule, ordinal, target)
  WHERE occasion IS NOT NULL;

-- Which changes of deliveries plugins that run want to hear of; never those of their own.
CREATE TABLE awaited (
  state  TEXT NOT NULL
         CHECK (state IN ('queued', 'sending', 'accepted', 'delivered', 'unknown', 'held', 'failed', 'expired', 'discarded')),
  plugin TEXT NOT NULL,
  PRIMARY KEY (state, plugin)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deliveries_awaited AFTER UPDATE OF state ON deliveries
WHEN old.state <> new.state AND EXISTS (SELECT 1 FROM awaited WHERE state = new.state AND plugin <> new.plugin)
BEGIN
  INSERT INTO occasions (kind, subject, became, place, depth, detail, at)
  SELECT 'delivery', new.id, new.state, new.position,
         coalesce((SELECT depth + 1 FROM occasions WHERE id = new.occasion AND kind = 'delivery'), 0),
         json_object('evidence', new.evidence, 'error', new.error, 'attempts', new.attempts), new.updated_at
  WHERE NOT EXISTS (
    SELECT 1 FROM occasions
    WHERE kind = 'delivery' AND subject = new.id AND became = new.state AND place = new.position);
END;

CREATE TRIGGER deliveries_begun AFTER INSERT ON deliveries
WHEN EXISTS (SELECT 1 FROM awaited WHERE state = 'queued' AND plugin <> new.plugin)
BEGIN
  INSERT INTO occasions (kind, subject, became, place, depth, detail, at)
  SELECT 'delivery', new.id, 'queued', new.position,
         coalesce((SELECT depth + 1 FROM occasions WHERE id = new.occasion AND kind = 'delivery'), 0),
         '{"attempts":0}', new.created_at;
END;

-- When plugins' clocks tick next, each in its rhythm.
CREATE TABLE ticks (
  plugin  TEXT NOT NULL,
  handler TEXT NOT NULL,
  rhythm  TEXT NOT NULL,
  next_at INTEGER NOT NULL,
  set_at  INTEGER NOT NULL,           -- when that was worked out
  PRIMARY KEY (plugin, handler, rhythm)
) STRICT, WITHOUT ROWID;

-- Questions that wait for the sender's next message.
CREATE TABLE conversations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin     TEXT NOT NULL,
  ear        TEXT NOT NULL,           -- the account that alone hears the answer; '' in a room, where any of ours may
  chat       TEXT NOT NULL,
  sender     TEXT NOT NULL,
  account    TEXT NOT NULL,
  handler    TEXT NOT NULL,
  on_timeout TEXT NOT NULL DEFAULT '',
  message    INTEGER,                 -- what it was asked because of
  since      INTEGER NOT NULL,
  until      INTEGER NOT NULL,
  set_at     INTEGER NOT NULL,        -- when it was decided
  UNIQUE (plugin, chat, sender, ear)
) STRICT;
CREATE INDEX conversations_until ON conversations (until);
CREATE INDEX conversations_sender ON conversations (sender);
