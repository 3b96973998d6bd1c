ALTER TABLE run_changes DROP COLUMN missing_before;
