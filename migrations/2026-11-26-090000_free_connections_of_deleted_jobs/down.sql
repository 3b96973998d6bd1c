ALTER TABLE jobs DROP CONSTRAINT jobs_have_a_connection;
-- Fails while a job is being deleted: let the scheduler clear it away first.
ALTER TABLE jobs ALTER COLUMN connection_id SET NOT NULL;
