-- Links with which somebody without a key sets up one connection.
CREATE TABLE handovers (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL UNIQUE,
    connection_id uuid NOT NULL,
    -- SHA-256 of the secret part: it is 32 random bytes, so it needs no slow hash.
    secret_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    -- Attempts to enter a credential or to check the connection, and refused uses of the link.
    attempts integer NOT NULL DEFAULT 0,
    -- When a credential was entered through the link.
    used_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX handovers_by_connection ON handovers (organization_id, connection_id, id);
CALL entra_assets_protect('handovers', true);

-- A connection may wait for the credential that somebody else enters.
ALTER TABLE connections DROP CONSTRAINT connections_credential_kind_check;
ALTER TABLE connections ADD CONSTRAINT connections_credential_kind_check
    CHECK (credential_kind IN ('clientSecret', 'certificate', 'federated', 'awaited'));
