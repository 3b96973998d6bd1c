-- Set while everything of the organization is being removed; it is then invisible.
ALTER TABLE organizations ADD COLUMN deleting_at timestamptz;

-- When the events, changes and staging of an ended run were removed.
ALTER TABLE runs ADD COLUMN cleared_at timestamptz;
CREATE INDEX runs_to_clear ON runs (finished_at) WHERE finished_at IS NOT NULL AND cleared_at IS NULL;

-- The state of the run that is told of, or `test`.
ALTER TABLE webhook_deliveries ADD COLUMN event text NOT NULL;
ALTER TABLE webhook_deliveries ADD COLUMN run_id uuid;
-- Who sends it just now: only the holder writes what came of it.
ALTER TABLE webhook_deliveries ADD COLUMN lease_token uuid;
-- The status that the receiver answered with last.
ALTER TABLE webhook_deliveries ADD COLUMN last_status integer;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (organization_id, webhook_id, id DESC);

-- A run whose approval expires is ended by `db/system`, and its webhooks are told in the same transaction.
CREATE POLICY system ON webhooks
    USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()));
