-- Whoever removes a row asks for those that refer to it; without an index that is a look at every row there is.
CREATE INDEX deliveries_entry ON deliveries (entry) WHERE entry IS NOT NULL;
CREATE INDEX deliveries_preceded ON deliveries (after) WHERE after IS NOT NULL;
CREATE INDEX attempts_failure ON attempts (failure) WHERE failure IS NOT NULL;
CREATE INDEX copies_source ON copies (source);
