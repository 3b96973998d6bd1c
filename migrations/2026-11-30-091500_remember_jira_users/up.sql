-- Which Jira account each user of a job is, and what the last search for it said.
CREATE TABLE jira_users (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- What was searched for. Others need another search.
    mail text,
    user_principal_name text,
    -- The account that was written into the object in Assets.
    account text,
    outcome text NOT NULL CHECK (outcome IN ('set', 'notFound', 'ambiguous', 'inactive', 'failed')),
    reason text CHECK (reason IN ('noAddress', 'noAccount', 'notAPerson', 'severalAccounts', 'deactivated',
        'objectNotFound', 'severalObjects', 'writeRefused')),
    -- Whether that run wrote an account into the object, or took one away.
    changed boolean NOT NULL,
    run_id uuid NOT NULL,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, job_id, user_id)
);
CREATE INDEX jira_users_by_run ON jira_users (organization_id, job_id, run_id);
CALL entra_assets_protect('jira_users', true);
