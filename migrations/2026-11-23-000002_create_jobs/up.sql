CREATE TABLE connections (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- GUID or verified domain.
    tenant_id text NOT NULL,
    client_id uuid NOT NULL,
    cloud text NOT NULL CHECK (cloud IN ('global', 'usGov', 'usGovDod', 'china')),
    credential_kind text NOT NULL CHECK (credential_kind IN ('clientSecret', 'certificate', 'federated')),
    -- The secret, or the private key.
    credential_sealed bytea,
    certificate_pem text,
    -- First three characters of the secret, or the certificate's thumbprint.
    credential_hint text,
    credential_expires_at timestamptz,
    -- Rises with every change of what a token depends on; part of the token cache's key.
    credential_version bigint NOT NULL DEFAULT 1,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CALL entra_assets_protect('connections', false);

CREATE TABLE connection_checks (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    checked_at timestamptz NOT NULL,
    overall text NOT NULL CHECK (overall IN ('ok', 'degraded', 'failed')),
    report jsonb NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX connection_checks_by_connection ON connection_checks (organization_id, connection_id, id DESC);
CALL entra_assets_protect('connection_checks', true);

CREATE TABLE filters (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- The rule: users, groups, devices, scope, outside, exclude, limits.
    rule jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CALL entra_assets_protect('filters', false);

CREATE TABLE destinations (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('assetsImport', 'forge')),
    token_sealed bytea,
    workspace_id text,
    import_id text,
    missing_objects text NOT NULL CHECK (missing_objects IN ('unknown', 'ignore', 'update', 'remove')),
    empty_values text NOT NULL CHECK (empty_values IN ('unknown', 'ignore', 'remove')),
    reference_template text NOT NULL CHECK (reference_template IN ('arrayPlaceholder', 'joinedString')),
    api_site_url text,
    api_email text,
    api_token_sealed bytea,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CHECK (kind <> 'assetsImport' OR token_sealed IS NOT NULL),
    CHECK (kind <> 'forge' OR (workspace_id IS NOT NULL AND import_id IS NOT NULL))
);
CALL entra_assets_protect('destinations', false);

CREATE TABLE jobs (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    connection_id uuid NOT NULL,
    filter_id uuid,
    destination_id uuid,
    -- What to import: users, groups, licenses, devices, each {enabled, attributes, names}.
    objects jsonb NOT NULL,
    memberships text NOT NULL CHECK (memberships IN ('onUser', 'onGroup', 'both')),
    deliver text NOT NULL CHECK (deliver IN ('full', 'changes')),
    removal_policy text NOT NULL CHECK (removal_policy IN ('keep', 'mark', 'remove')),
    removal_after_missing_runs integer NOT NULL CHECK (removal_after_missing_runs BETWEEN 1 AND 1000),
    brake_percent integer NOT NULL CHECK (brake_percent BETWEEN 0 AND 100),
    schedule_cron text,
    schedule_timezone text,
    schedule_enabled boolean NOT NULL DEFAULT false,
    schedule_next_at timestamptz,
    -- Why the service itself paused the schedule; the next change of the schedule clears it.
    schedule_paused_reason text,
    -- Set while the job's data is being removed; it is then invisible.
    deleting_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections,
    FOREIGN KEY (organization_id, filter_id) REFERENCES filters,
    FOREIGN KEY (organization_id, destination_id) REFERENCES destinations
);
-- Two jobs on one import source would undo each other.
CREATE UNIQUE INDEX jobs_one_per_destination ON jobs (organization_id, destination_id);
CREATE INDEX jobs_by_connection ON jobs (organization_id, connection_id);
CREATE INDEX jobs_by_filter ON jobs (organization_id, filter_id);
CREATE INDEX jobs_due ON jobs (schedule_next_at) WHERE schedule_enabled;
CALL entra_assets_protect('jobs', true);
