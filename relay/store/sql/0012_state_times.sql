-- When a value was remembered: until when it counts moves with a clock that is set.
ALTER TABLE plugin_state ADD COLUMN set_at INTEGER NOT NULL DEFAULT 0;
