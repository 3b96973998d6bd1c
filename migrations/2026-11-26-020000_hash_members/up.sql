-- By what a page of members is known again. Empty: by nothing, so that the page counts as changed.
ALTER TABLE staged_members ADD COLUMN hash bytea NOT NULL DEFAULT '';
ALTER TABLE mirror_members ADD COLUMN hash bytea NOT NULL DEFAULT '';
-- Members that a run read as the mirror has them are staged by their hash alone.
ALTER TABLE staged_members ALTER COLUMN member_ids DROP NOT NULL;
