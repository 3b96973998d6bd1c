ALTER TABLE webhooks DROP COLUMN job_ids;
