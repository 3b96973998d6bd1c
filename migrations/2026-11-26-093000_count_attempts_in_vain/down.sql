ALTER TABLE runs DROP COLUMN attempts_in_vain, DROP COLUMN reached;
