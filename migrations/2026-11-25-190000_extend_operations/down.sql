DROP POLICY system ON webhooks;
DROP INDEX webhook_deliveries_by_webhook;
ALTER TABLE webhook_deliveries DROP COLUMN event, DROP COLUMN run_id, DROP COLUMN lease_token, DROP COLUMN last_status;
DROP INDEX runs_to_clear;
ALTER TABLE runs DROP COLUMN cleared_at;
ALTER TABLE organizations DROP COLUMN deleting_at;
