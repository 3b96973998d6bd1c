-- How processes share the quota of an application in a tenant. Graph does not know organizations: two of them that use the
-- same application in the same tenant have one quota. So only functions across organizations see it.
CREATE TABLE graph_quotas (
    application_id uuid NOT NULL,
    tenant_id text NOT NULL,
    service text NOT NULL,
    -- `quota.rs` reads and writes it; NULL before the first exchange.
    state jsonb,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (application_id, tenant_id, service)
);
ALTER TABLE graph_quotas ENABLE ROW LEVEL SECURITY;
ALTER TABLE graph_quotas FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON graph_quotas
    USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()));
