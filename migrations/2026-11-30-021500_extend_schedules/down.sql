ALTER TABLE jobs DROP COLUMN schedule_full_cron, DROP COLUMN schedule_full_next_at, DROP COLUMN schedule_retry_attempts,
    DROP COLUMN schedule_retry_minutes;
