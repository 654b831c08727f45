-- What plugins remember: cooldowns, whose turn it is, whatever they like; values are JSON.
CREATE TABLE plugin_state (
  plugin     TEXT NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL CHECK (json_valid(value)),
  expires_at INTEGER,                 -- NULL: for good
  PRIMARY KEY (plugin, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX plugin_state_expiry ON plugin_state (expires_at) WHERE expires_at IS NOT NULL;

-- What people and chats are called; "" where the platform was asked and had no name.
CREATE TABLE names (
  wxid       TEXT PRIMARY KEY CHECK (wxid <> ''),
  name       TEXT NOT NULL,
  fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The delivery that must be accepted before this one goes out: who wrote it, before what they wrote.
ALTER TABLE deliveries ADD COLUMN after INTEGER REFERENCES deliveries (id);

-- The received message that a forward carries: the copy at the account that forwards, NULL until that one heard it.
ALTER TABLE deliveries ADD COLUMN entry INTEGER REFERENCES messages (id);
UPDATE deliveries SET entry = message WHERE kind = 'forward';
CREATE INDEX deliveries_unheard ON deliveries (created_at)
  WHERE kind = 'forward' AND entry IS NULL AND state = 'queued';
CREATE INDEX deliveries_after ON deliveries (after) WHERE after IS NOT NULL AND state = 'queued';
