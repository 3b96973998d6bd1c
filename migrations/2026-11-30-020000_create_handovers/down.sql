DROP TABLE handovers;

-- Federated is the only other kind without a stored secret; an awaited credential did not work either.
UPDATE connections SET credential_kind = 'federated' WHERE credential_kind = 'awaited';
ALTER TABLE connections DROP CONSTRAINT connections_credential_kind_check;
ALTER TABLE connections ADD CONSTRAINT connections_credential_kind_check
    CHECK (credential_kind IN ('clientSecret', 'certificate', 'federated'));
