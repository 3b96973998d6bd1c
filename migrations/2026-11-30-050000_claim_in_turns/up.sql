-- A claim looks for the organizations that wait, and for the first run of each: what a person started, else what has
-- waited longest.
CREATE INDEX runs_in_turn ON runs
    (organization_id, (approved_at IS NULL AND requested_by IN ('schedule', 'retry')), run_after)
    WHERE state = 'queued';
-- When an organization was served last.
CREATE INDEX runs_by_start ON runs (organization_id, started_at);
