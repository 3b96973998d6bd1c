-- A job that is being deleted frees its connection at once, as it frees its filter and its destination.
ALTER TABLE jobs ALTER COLUMN connection_id DROP NOT NULL;
ALTER TABLE jobs ADD CONSTRAINT jobs_have_a_connection CHECK (deleting_at IS NOT NULL OR connection_id IS NOT NULL);
