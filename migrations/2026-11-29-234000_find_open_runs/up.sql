-- The metrics count the runs that have not ended, every few seconds. Most runs have.
CREATE INDEX runs_open ON runs (state, run_after) WHERE finished_at IS NULL;
