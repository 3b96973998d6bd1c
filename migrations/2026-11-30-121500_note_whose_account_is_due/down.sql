DROP INDEX jira_users_by_outcome;
-- The rows of all organizations.
SET LOCAL entra_assets.system = 'on';
-- Whoever waits is looked for as a new user.
DELETE FROM jira_users WHERE outcome = 'waiting' OR rewrite;
UPDATE jira_users SET reason = 'noAccount' WHERE reason = 'onlyByName';
ALTER TABLE jira_users DROP CONSTRAINT jira_users_outcome_check, DROP CONSTRAINT jira_users_reason_check;
ALTER TABLE jira_users
    DROP COLUMN attribute,
    DROP COLUMN rewrite,
    ADD CONSTRAINT jira_users_outcome_check CHECK (outcome IN ('set', 'notFound', 'ambiguous', 'inactive', 'failed')),
    ADD CONSTRAINT jira_users_reason_check CHECK (reason IN ('noAddress', 'noAccount', 'notAPerson', 'severalAccounts',
        'deactivated', 'objectNotFound', 'severalObjects', 'writeRefused'));
