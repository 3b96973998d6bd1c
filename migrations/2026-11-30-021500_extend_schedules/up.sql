-- A second, rarer schedule, for runs that read everything.
ALTER TABLE jobs ADD COLUMN schedule_full_cron text,
    ADD COLUMN schedule_full_next_at timestamptz,
    -- How often a failed run of the schedule is repeated, and after how many minutes.
    ADD COLUMN schedule_retry_attempts integer NOT NULL DEFAULT 0 CHECK (schedule_retry_attempts BETWEEN 0 AND 5),
    ADD COLUMN schedule_retry_minutes integer NOT NULL DEFAULT 15 CHECK (schedule_retry_minutes BETWEEN 1 AND 1440);
CREATE INDEX jobs_full_due ON jobs (schedule_full_next_at) WHERE schedule_enabled;
CREATE INDEX jobs_retrying ON jobs (organization_id, id) WHERE schedule_enabled AND schedule_retry_attempts > 0;
