DROP POLICY system ON connections;
DROP INDEX connections_expiring;
ALTER TABLE connections DROP COLUMN expiry_announced;
ALTER TABLE webhooks DROP COLUMN previous_secret_sealed, DROP COLUMN previous_secret_until;
