-- Version 2. Time queries: t0 and t1 are the first start and the last end in Unix seconds, NULL for what has no time. span says how long it is at most, see
-- times.go: with it, what takes place in a month is found by its start.
ALTER TABLE resources ADD COLUMN span INTEGER;
CREATE INDEX res_time ON resources(coll, span, t0) WHERE span IS NOT NULL;
