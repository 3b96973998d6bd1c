-- What a run that the schedule starts does.
ALTER TABLE jobs ADD COLUMN schedule_mode text NOT NULL DEFAULT 'incremental' CHECK (schedule_mode IN ('full', 'incremental'));
