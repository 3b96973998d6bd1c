ALTER TABLE mirror_touched DROP COLUMN reason;
