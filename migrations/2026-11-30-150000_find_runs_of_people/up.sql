-- A claim looks at some of the organizations that wait, and always at those where a person has waited longest.
CREATE INDEX runs_of_people ON runs (run_after)
    WHERE state = 'queued' AND NOT (approved_at IS NULL AND requested_by IN ('schedule', 'retry'));
