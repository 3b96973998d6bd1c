ALTER TABLE tickets DROP COLUMN api_key_id;
ALTER TABLE tickets DROP COLUMN token_ends_at;
