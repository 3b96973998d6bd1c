-- Of an object that is gone: an earlier run found it missing already, and told that it left.
ALTER TABLE run_changes ADD COLUMN missing_before boolean NOT NULL DEFAULT false;
