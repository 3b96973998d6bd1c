-- The address of the caller; NULL: it is not known, or the service acted by itself.
ALTER TABLE audit_events ADD COLUMN address text;
