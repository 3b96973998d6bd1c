-- What waits is found organization by organization, whatever the planner believes: the statistics of a queue are from a
-- moment at which it was empty, and with an index by time alone every organization was looked for among all that waited.
-- `runs_in_turn` has the queued runs, `runs_open` the running ones.
DROP INDEX runs_claimable;
CREATE INDEX webhook_deliveries_in_turn ON webhook_deliveries (organization_id, webhook_id, run_after, id)
    WHERE delivered_at IS NULL AND failed_at IS NULL;
DROP INDEX webhook_deliveries_due;

-- What is past its retention is found without a look at what is not.
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (organization_id, created_at);
CREATE INDEX connection_checks_by_time ON connection_checks (organization_id, checked_at);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (organization_id, created_at);

-- The few executions that are not over, without a look at those of all earlier runs.
CREATE INDEX executions_open ON executions (organization_id, run_id)
    WHERE state IN ('starting', 'ingesting', 'completed');
