-- The jobs that a webhook is told of. NULL: all of them.
ALTER TABLE webhooks ADD COLUMN job_ids uuid[];
