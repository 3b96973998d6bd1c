-- Installations of a Forge app whose data was removed, for a day: a call with a token that was issued before would bring them
-- back. Their organizations are gone, so only functions across organizations see it.
CREATE TABLE removed_installations (
    -- `external_id` of the organization that it had.
    external_id text PRIMARY KEY,
    removed_at timestamptz NOT NULL
);
ALTER TABLE removed_installations ENABLE ROW LEVEL SECURITY;
ALTER TABLE removed_installations FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON removed_installations
    USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()));
