-- The secret before the last rotation: deliveries are signed with both until then.
ALTER TABLE webhooks ADD COLUMN previous_secret_sealed bytea, ADD COLUMN previous_secret_until timestamptz;
-- The smallest number of days before the end of the credential that webhooks were told of: 30, 7, 1.
ALTER TABLE connections ADD COLUMN expiry_announced integer;
CREATE INDEX connections_expiring ON connections (credential_expires_at) WHERE credential_expires_at IS NOT NULL;
-- The scheduler finds credentials that expire, and tells the webhooks in the same transaction.
CREATE POLICY system ON connections
    USING ((SELECT entra_assets_is_system())) WITH CHECK ((SELECT entra_assets_is_system()));
