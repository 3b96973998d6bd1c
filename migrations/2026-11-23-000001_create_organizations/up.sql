-- Every table is scoped to an organization by row-level security, also for its owner. Code states whose
-- rows it works on by `SET LOCAL entra_assets.organization`; the few functions of `db/system`, which work
-- across organizations, say so by `SET LOCAL entra_assets.system`. Without either, no row is visible.

CREATE FUNCTION entra_assets_organization() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('entra_assets.organization', true), '')::uuid $$;

CREATE FUNCTION entra_assets_is_system() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(current_setting('entra_assets.system', true), '') = 'on' $$;

-- Puts a table under the rule. `system_too`: the functions of `db/system` need it across organizations.
CREATE PROCEDURE entra_assets_protect(table_name regclass, system_too boolean)
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format('CREATE POLICY own_organization ON %s
        USING (organization_id = (SELECT entra_assets_organization()))
        WITH CHECK (organization_id = (SELECT entra_assets_organization()))', table_name);
    IF system_too THEN
        EXECUTE format('CREATE POLICY system ON %s
            USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()))', table_name);
    END IF;
END $$;

CREATE TABLE organizations (
    organization_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- A Forge installation or cloud id that tokens of this organization carry.
    external_id text UNIQUE,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The organization of the admin key.
INSERT INTO organizations (organization_id, name, created_at, updated_at)
    VALUES ('01900000-0000-7000-8000-000000000001', 'default', now(), now());

CALL entra_assets_protect('organizations', true);

CREATE TABLE api_keys (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write', 'run', 'admin']),
    -- SHA-256 of the secret part: it is 32 random bytes, so it needs no slow hash.
    secret_hash bytea NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CALL entra_assets_protect('api_keys', true);

CREATE TABLE forge_tokens (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    installation_id text NOT NULL,
    token_sealed bytea NOT NULL,
    -- The row id in the seal's associated data.
    id uuid NOT NULL,
    api_base_url text NOT NULL,
    expires_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, installation_id)
);
CALL entra_assets_protect('forge_tokens', false);
