-- The first schema. state_machine.md draws how deliveries move through it.
-- Times are milliseconds since 1970. Ids of the platform are text, as it spells them.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Our own accounts: what they say is never a customer's.
CREATE TABLE accounts (
  wxid   TEXT PRIMARY KEY CHECK (wxid <> ''),
  source TEXT NOT NULL CHECK (source IN ('configured', 'listed', 'callback')),
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids of what was received, kept longer than the bodies: whatever is pushed again is known.
CREATE TABLE seen (
  account TEXT NOT NULL,
  key     TEXT NOT NULL,              -- svrid as it is: increasing keys are cheap to index
  message INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

-- The inbox.
CREATE TABLE messages (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  account        TEXT NOT NULL,
  svrid          TEXT NOT NULL,
  wx_svrid       TEXT NOT NULL,
  chat           TEXT NOT NULL,
  chat_type      TEXT NOT NULL CHECK (chat_type IN ('room', 'private', '')),
  sender         TEXT NOT NULL,
  type           TEXT NOT NULL,
  time           INTEGER NOT NULL,
  api_send_id    TEXT NOT NULL,
  api_send_svrid TEXT NOT NULL,
  raw            BLOB NOT NULL,       -- the entry, byte for byte
  received_at    INTEGER NOT NULL,
  state          TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'routed', 'skipped', 'set_aside')),
  own            INTEGER CHECK (own IN (0, 1)),          -- NULL until the guard has looked at it
  source         INTEGER REFERENCES sources (id),
  attempts       INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  reason         TEXT,
  signal         INTEGER NOT NULL DEFAULT 0 CHECK (signal IN (0, 1)),  -- 1: may settle a delivery, not looked at yet
  CHECK (state NOT IN ('skipped', 'set_aside') OR reason IS NOT NULL),
  CHECK (state <> 'routed' OR own IS NOT NULL)
) STRICT;
CREATE INDEX messages_new ON messages (id) WHERE state = 'waiting' AND own IS NULL;
CREATE INDEX messages_waiting ON messages (id) WHERE state = 'waiting';
CREATE INDEX messages_signal ON messages (id) WHERE signal = 1;
CREATE INDEX messages_chat ON messages (chat, id);
CREATE INDEX messages_source ON messages (source, account) WHERE source IS NOT NULL;

-- One thing that somebody said, however many of our accounts heard it.
CREATE TABLE sources (
  id       INTEGER PRIMARY KEY,
  scope    TEXT NOT NULL,             -- the room, or account and contact
  wx_svrid TEXT,
  acted    INTEGER,                   -- the message by which it was acted on
  at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sources_wx ON sources (scope, wx_svrid) WHERE wx_svrid IS NOT NULL;

-- Without wx_svrid, the k-th copy at one account is the k-th copy at another.
CREATE TABLE copies (
  fingerprint BLOB NOT NULL,
  account     TEXT NOT NULL,
  k           INTEGER NOT NULL CHECK (k >= 0),
  source      INTEGER NOT NULL REFERENCES sources (id),
  PRIMARY KEY (fingerprint, account, k)
) STRICT, WITHOUT ROWID;

-- Which of our accounts acts in a room.
CREATE TABLE rooms (
  chat   TEXT PRIMARY KEY,
  acting TEXT NOT NULL,
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each plugin and rule decided about a message, or which condition failed.
CREATE TABLE traces (
  message  INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  ordinal  INTEGER NOT NULL,
  plugin   TEXT NOT NULL,
  rule     TEXT NOT NULL,
  decision TEXT NOT NULL,
  reason   TEXT NOT NULL,
  ms       REAL NOT NULL,
  PRIMARY KEY (message, ordinal)
) STRICT, WITHOUT ROWID;

-- Callbacks that are no chat messages: failure events, and what we do not know yet.
CREATE TABLE events (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  kind           TEXT NOT NULL,
  account        TEXT NOT NULL,
  api_send_id    TEXT NOT NULL,
  api_send_svrid TEXT NOT NULL,
  raw            BLOB NOT NULL,
  received_at    INTEGER NOT NULL,
  signal         INTEGER NOT NULL DEFAULT 0 CHECK (signal IN (0, 1))
) STRICT;
CREATE INDEX events_signal ON events (id) WHERE signal = 1;

-- Bodies, and parts of bodies, that could not be read.
CREATE TABLE damaged (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  reason      TEXT NOT NULL,
  body        BLOB NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;

-- The outbox: one message to one target.
CREATE TABLE deliveries (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  message    INTEGER NOT NULL REFERENCES messages (id),
  plugin     TEXT NOT NULL,
  rule       TEXT NOT NULL,
  ordinal    INTEGER NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('forward', 'send')),
  account    TEXT NOT NULL CHECK (account <> ''),
  target     TEXT NOT NULL CHECK (target <> ''),
  body       BLOB,                    -- a send's message; a forward's is the received entry
  position   INTEGER NOT NULL,        -- its place in line
  state      TEXT NOT NULL DEFAULT 'queued'
             CHECK (state IN ('queued', 'sending', 'accepted', 'delivered', 'unknown', 'held', 'failed', 'expired', 'discarded')),
  evidence   TEXT CHECK (evidence IN ('answer', 'echo', 'log', 'silence')),
  error      TEXT,
  attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),   -- requests begun
  spent      INTEGER NOT NULL DEFAULT 0 CHECK (spent BETWEEN 0 AND attempts),  -- of these, what counts against max_attempts
  solo       INTEGER NOT NULL DEFAULT 0 CHECK (solo IN (0, 1)),  -- 1: its batch was refused, so it goes alone
  spoken     INTEGER NOT NULL DEFAULT 0 CHECK (spoken IN (0, 1)),  -- 1: a failure event spoke of it, which no echo undoes
  doubtful   INTEGER NOT NULL DEFAULT 0 CHECK (doubtful IN (0, 1)),  -- 1: unknown for an incomplete answer: failed without an echo
  due_at     INTEGER NOT NULL,        -- its delay: holds up nothing behind it
  retry_at   INTEGER NOT NULL DEFAULT 0,  -- its next attempt: what is behind it waits, for order's sake
  expires_at INTEGER NOT NULL,
  settle_at  INTEGER,                 -- accepted: when silence confirms it; unknown: when waiting ends
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (message, plugin, rule, ordinal, target),
  CHECK ((kind = 'send') = (body IS NOT NULL)),
  CHECK (state NOT IN ('sending', 'accepted', 'delivered', 'unknown') OR attempts > 0),
  CHECK (state NOT IN ('accepted', 'delivered') OR evidence IS NOT NULL),
  CHECK (state NOT IN ('accepted', 'delivered') OR spoken = 0),
  CHECK (state NOT IN ('failed', 'held') OR error IS NOT NULL),
  CHECK ((state IN ('accepted', 'unknown')) = (settle_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX deliveries_forward_once ON deliveries (message, target) WHERE kind = 'forward';
CREATE INDEX deliveries_open ON deliveries (account, target, position) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX deliveries_settle ON deliveries (settle_at) WHERE settle_at IS NOT NULL;
CREATE INDEX deliveries_expiry ON deliveries (expires_at) WHERE state = 'queued';
CREATE INDEX deliveries_state ON deliveries (state, id);
CREATE INDEX deliveries_target ON deliveries (target, id);

-- Places in line; an operator's retry takes a new one.
CREATE TABLE line (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  next INTEGER NOT NULL
) STRICT;
INSERT INTO line VALUES (1, 1);

-- Every step a delivery may take; the trigger refuses all others.
CREATE TABLE steps (
  before TEXT NOT NULL,
  after  TEXT NOT NULL,
  PRIMARY KEY (before, after)
) STRICT, WITHOUT ROWID;
INSERT INTO steps VALUES
  ('queued', 'sending'), ('queued', 'expired'), ('queued', 'failed'), ('queued', 'accepted'), ('queued', 'discarded'),
  ('sending', 'accepted'), ('sending', 'queued'), ('sending', 'failed'), ('sending', 'unknown'),
  ('accepted', 'delivered'), ('accepted', 'failed'),
  ('delivered', 'failed'),
  ('unknown', 'accepted'), ('unknown', 'failed'), ('unknown', 'queued'), ('unknown', 'held'),
  ('held', 'accepted'), ('held', 'failed'), ('held', 'queued'), ('held', 'discarded'),
  ('failed', 'accepted'), ('failed', 'queued'), ('failed', 'discarded'),
  ('expired', 'accepted'), ('expired', 'failed'), ('expired', 'queued'), ('expired', 'discarded');

CREATE TRIGGER deliveries_step BEFORE UPDATE OF state ON deliveries
WHEN old.state <> new.state AND NOT EXISTS (SELECT 1 FROM steps WHERE before = old.state AND after = new.state)
BEGIN
  SELECT RAISE(ABORT, 'a delivery cannot take this step');
END;

CREATE TRIGGER deliveries_begin BEFORE INSERT ON deliveries
WHEN new.state <> 'queued'
BEGIN
  SELECT RAISE(ABORT, 'a delivery begins queued');
END;

-- One request for one delivery; api_send_id is <origin>-<delivery>.<number>.
CREATE TABLE attempts (
  delivery       INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number         INTEGER NOT NULL CHECK (number > 0),
  account        TEXT NOT NULL,
  started_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  outcome        TEXT CHECK (outcome IN ('taken', 'not_sent', 'throttled', 'not_executed', 'refused', 'unknown')),
  error          TEXT,
  api_send_svrid TEXT,
  echo           INTEGER,             -- the message in which it came back
  PRIMARY KEY (delivery, number),
  CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_pace ON attempts (started_at);
CREATE INDEX attempts_echo ON attempts (account, started_at) WHERE echo IS NULL;
CREATE INDEX attempts_svrid ON attempts (api_send_svrid) WHERE api_send_svrid IS NOT NULL;

-- What holds up a whole account; account '' is the platform as a whole.
CREATE TABLE pauses (
  account TEXT PRIMARY KEY,
  until   INTEGER NOT NULL,
  step    INTEGER NOT NULL,
  reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
  role  TEXT NOT NULL,
  pid   INTEGER NOT NULL,
  since INTEGER NOT NULL,
  beat  INTEGER NOT NULL,
  note  TEXT NOT NULL DEFAULT '{}',   -- JSON: what the role says of itself
  PRIMARY KEY (role, pid)
) STRICT, WITHOUT ROWID;
