-- What the caller who made a ticket proved who they are with: an API key, or a token that ends. Neither: the admin key.
ALTER TABLE tickets ADD COLUMN api_key_id uuid;
ALTER TABLE tickets ADD COLUMN token_ends_at timestamptz;
