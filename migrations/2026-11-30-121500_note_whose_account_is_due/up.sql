ALTER TABLE jira_users DROP CONSTRAINT jira_users_outcome_check, DROP CONSTRAINT jira_users_reason_check;
ALTER TABLE jira_users
    ADD CONSTRAINT jira_users_outcome_check
        CHECK (outcome IN ('set', 'notFound', 'ambiguous', 'inactive', 'failed', 'waiting')),
    ADD CONSTRAINT jira_users_reason_check CHECK (reason IN ('noAddress', 'noAccount', 'onlyByName', 'notAPerson',
        'severalAccounts', 'deactivated', 'objectNotFound', 'severalObjects', 'writeRefused')),
    -- The attribute that the row is about, by the names of its object type and its own. Of rows from before it is not
    -- known, so they count as rows of another attribute.
    ADD COLUMN attribute text NOT NULL DEFAULT '',
    -- The object came anew since the account was written, so that it may not have it.
    ADD COLUMN rewrite boolean NOT NULL DEFAULT false;
-- For whom a run looks, without a look at the others.
CREATE INDEX jira_users_by_outcome ON jira_users (organization_id, job_id, attribute, outcome, looked_at);
