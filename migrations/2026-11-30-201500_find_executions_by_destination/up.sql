-- Where an execution was started: what a run left open there is closed by whichever job delivers there next. Null: noted by a
-- version before.
ALTER TABLE executions ADD COLUMN destination_id uuid;
