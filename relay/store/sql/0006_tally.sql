-- Deliveries pile up in the states in which they end; counting a million takes a third of a second, so they are counted
-- as they come and go. Those in hand are few, and counted when somebody asks.
CREATE TABLE tally (
  state      TEXT PRIMARY KEY CHECK (state IN ('delivered', 'failed', 'expired', 'discarded')),
  deliveries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally
  SELECT ended.state, count(deliveries.id)
  FROM (SELECT 'delivered' AS state UNION SELECT 'failed' UNION SELECT 'expired' UNION SELECT 'discarded') ended
  LEFT JOIN deliveries ON deliveries.state = ended.state GROUP BY ended.state;

CREATE TRIGGER deliveries_ended AFTER UPDATE OF state ON deliveries
WHEN old.state <> new.state AND new.state IN ('delivered', 'failed', 'expired', 'discarded')
BEGIN
  UPDATE tally SET deliveries = deliveries + 1 WHERE state = new.state;
END;

CREATE TRIGGER deliveries_not_ended AFTER UPDATE OF state ON deliveries
WHEN old.state <> new.state AND old.state IN ('delivered', 'failed', 'expired', 'discarded')
BEGIN
  UPDATE tally SET deliveries = deliveries - 1 WHERE state = old.state;
END;

CREATE TRIGGER deliveries_removed AFTER DELETE ON deliveries
WHEN old.state IN ('delivered', 'failed', 'expired', 'discarded')
BEGIN
  UPDATE tally SET deliveries = deliveries - 1 WHERE state = old.state;
END;
