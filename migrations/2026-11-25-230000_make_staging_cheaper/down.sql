ALTER TABLE mirror_members ALTER COLUMN member_ids SET STORAGE EXTENDED;
ALTER TABLE staged_members ALTER COLUMN member_ids SET STORAGE EXTENDED;
-- Runs under way read again: what is staged without data could not stay, and their cursors go with it.
TRUNCATE staged_objects, staged_members, run_cursors;
ALTER TABLE staged_objects ALTER COLUMN data SET NOT NULL;
