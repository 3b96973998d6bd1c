-- A claim looks at some of the organizations that wait, and at those of the runs of people that have waited longest.
CREATE INDEX runs_of_people ON runs (run_after)
    WHERE state = 'queued' AND NOT (approved_at IS NULL AND requested_by IN ('schedule', 'retry'));
