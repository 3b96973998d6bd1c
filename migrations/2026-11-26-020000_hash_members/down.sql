-- Runs under way read again: what is staged without members could not stay, and their cursors go with it.
TRUNCATE staged_objects, staged_members, run_cursors;
ALTER TABLE staged_members ALTER COLUMN member_ids SET NOT NULL;
ALTER TABLE mirror_members DROP COLUMN hash;
ALTER TABLE staged_members DROP COLUMN hash;
