-- What cannot be read is kept whole: once the key is right, it may be taken in after all. Bounded by all their bytes.
ALTER TABLE damaged ADD COLUMN begins INTEGER NOT NULL DEFAULT 0;
CREATE INDEX damaged_begins ON damaged (begins);
