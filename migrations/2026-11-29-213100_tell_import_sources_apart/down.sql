ALTER TABLE destinations DROP COLUMN token_hash, DROP COLUMN import_source;
