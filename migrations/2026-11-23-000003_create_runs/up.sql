-- The queue. The request is immutable; what a worker holds and how far it came stands beside it.
-- A run outlives its job: its record stays, without names.
CREATE TABLE runs (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'full', 'incremental', 'dryRun')),
    -- {limit, deliver, resetMirror}
    request jsonb NOT NULL,
    -- schedule, api key or token that asked for it.
    requested_by text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'awaitingApproval', 'succeeded', 'degraded', 'failed', 'cancelled')),
    stage text CHECK (stage IN ('collect', 'diff', 'deliver', 'settle')),
    wait_reason text,
    run_after timestamptz NOT NULL,
    lease_token uuid,
    lease_expires_at timestamptz,
    worker_id uuid,
    attempt integer NOT NULL DEFAULT 0,
    cancel_requested_at timestamptz,
    approved_at timestamptz,
    approval_expires_at timestamptz,
    checkpoint jsonb NOT NULL DEFAULT '{}',
    progress jsonb,
    counts jsonb NOT NULL DEFAULT '{}',
    warnings jsonb NOT NULL DEFAULT '[]',
    error jsonb,
    last_event_id bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    queued_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CHECK ((state = 'running') = (lease_token IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'degraded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX runs_one_live_per_job ON runs (organization_id, job_id) WHERE state IN ('queued', 'running');
CREATE INDEX runs_claimable ON runs (run_after) WHERE state IN ('queued', 'running');
CREATE INDEX runs_by_job ON runs (organization_id, job_id, id DESC);
CALL entra_assets_protect('runs', true);

CREATE TABLE run_events (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    -- Rises by one per run.
    id bigint NOT NULL,
    event text NOT NULL CHECK (event IN ('state', 'progress', 'log')),
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, run_id, id),
    FOREIGN KEY (organization_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CALL entra_assets_protect('run_events', true);

-- What a run creates, updates or finds missing, and at the same time the outbox of its delivery: rows
-- with `send` are sent in the order of `seq`.
CREATE TABLE run_changes (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    seq bigint NOT NULL,
    object_type text NOT NULL,
    object_id uuid NOT NULL,
    label text,
    action text NOT NULL CHECK (action IN ('create', 'update', 'unchanged', 'missing', 'mark', 'remove', 'restore')),
    reason text,
    send boolean NOT NULL,
    hash bytea,
    -- The exact JSON delivered before, and to be delivered. NULL `after` of a row to send: as delivered.
    before text,
    after text,
    PRIMARY KEY (organization_id, run_id, seq),
    FOREIGN KEY (organization_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CALL entra_assets_protect('run_changes', true);

-- How far the reading of each collection came: `collection` is users, groups, members, …; `part` the
-- partition, or the group whose members are read.
CREATE TABLE run_cursors (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    collection text NOT NULL,
    part text NOT NULL,
    next_link text,
    done boolean NOT NULL,
    pages integer NOT NULL,
    PRIMARY KEY (organization_id, run_id, collection, part),
    FOREIGN KEY (organization_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CALL entra_assets_protect('run_cursors', true);

-- An execution of an Assets import that a run started or meant to start.
CREATE TABLE executions (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('starting', 'ingesting', 'completed', 'done', 'cancelled')),
    -- Sealed: the links are good for submitting without further questions.
    links_sealed bytea,
    execution_id text,
    -- Everything up to here was acknowledged by Assets.
    acknowledged_seq bigint NOT NULL DEFAULT 0,
    -- The chunk under way: its last row and its clientGeneratedId.
    sending_seq bigint,
    sending_id text,
    chunks integer NOT NULL DEFAULT 0,
    entries jsonb NOT NULL DEFAULT '{}',
    result jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, run_id, id),
    FOREIGN KEY (organization_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CALL entra_assets_protect('executions', true);
