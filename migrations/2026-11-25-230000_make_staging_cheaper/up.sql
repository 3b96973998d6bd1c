-- An object that a run read as the mirror has it is staged by its hash alone.
ALTER TABLE staged_objects ALTER COLUMN data DROP NOT NULL;
-- Ids are random: trying to compress them costs time and saves nothing.
ALTER TABLE staged_members ALTER COLUMN member_ids SET STORAGE EXTERNAL;
ALTER TABLE mirror_members ALTER COLUMN member_ids SET STORAGE EXTERNAL;
