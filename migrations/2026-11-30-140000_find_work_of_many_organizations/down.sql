DROP INDEX executions_open;
DROP INDEX idempotency_keys_by_time;
DROP INDEX connection_checks_by_time;
DROP INDEX webhook_deliveries_by_time;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (run_after)
    WHERE delivered_at IS NULL AND failed_at IS NULL;
DROP INDEX webhook_deliveries_in_turn;
CREATE INDEX runs_claimable ON runs (run_after) WHERE state IN ('queued', 'running');
