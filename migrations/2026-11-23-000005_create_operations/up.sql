CREATE TABLE idempotency_keys (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    method text NOT NULL,
    path text NOT NULL,
    body_hash bytea NOT NULL,
    -- NULL while the first request runs.
    status integer,
    resource_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, key, method, path)
);
CALL entra_assets_protect('idempotency_keys', true);

CREATE TABLE audit_events (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    -- The key, token or part of the service that acted.
    actor text NOT NULL,
    action text NOT NULL,
    resource_kind text NOT NULL,
    resource_id uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (organization_id, id)
);
CALL entra_assets_protect('audit_events', true);

CREATE TABLE tickets (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    -- SHA-256 of the ticket.
    hash bytea NOT NULL UNIQUE,
    path text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, hash)
);
CALL entra_assets_protect('tickets', true);

CREATE TABLE webhooks (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    url text NOT NULL,
    -- Run states it is told of.
    events text[] NOT NULL,
    secret_sealed bytea,
    enabled boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CALL entra_assets_protect('webhooks', false);

CREATE TABLE webhook_deliveries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    body jsonb NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    run_after timestamptz NOT NULL,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, webhook_id) REFERENCES webhooks ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (run_after)
    WHERE delivered_at IS NULL AND failed_at IS NULL;
CALL entra_assets_protect('webhook_deliveries', true);

-- The processes that execute runs. They serve every organization, so only `db/system` sees them.
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    process_id integer NOT NULL,
    version text NOT NULL,
    capacity integer NOT NULL,
    running integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
ALTER TABLE workers ENABLE ROW LEVEL SECURITY;
ALTER TABLE workers FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON workers
    USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()));
