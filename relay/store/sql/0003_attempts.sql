-- What a failure event said is known of each attempt: one that is repeated, or late, must not hit the next attempt.
ALTER TABLE attempts ADD COLUMN failure INTEGER REFERENCES events (id);

-- What may still come back: looked through for every message that staff type on our accounts' phones.
CREATE INDEX attempts_awaited ON attempts (account, started_at) WHERE echo IS NULL;

-- A retry gives the forwarding account its time to hear the message anew.
DROP INDEX deliveries_unheard;
CREATE INDEX deliveries_unheard ON deliveries (updated_at)
  WHERE kind = 'forward' AND entry IS NULL AND state = 'queued';
