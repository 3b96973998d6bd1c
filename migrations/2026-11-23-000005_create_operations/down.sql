DROP TABLE workers;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
DROP TABLE tickets;
DROP TABLE audit_events;
DROP TABLE idempotency_keys;
