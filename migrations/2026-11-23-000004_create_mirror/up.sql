-- Of each job: what the mirror holds, and for whom.
CREATE TABLE mirrors (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    -- `tid` of the token that read it.
    tenant_id uuid,
    -- Hash of what was selected (types, attributes, filter): another selection needs a full read.
    selection_hash bytea,
    -- Rises with every complete read.
    generation bigint NOT NULL DEFAULT 0,
    read_at timestamptz,
    full_read_at timestamptz,
    users_delta_sealed bytea,
    groups_delta_sealed bytea,
    -- The destination that `mirror_delivered` speaks of.
    delivered_to uuid,
    delivered_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, job_id),
    FOREIGN KEY (organization_id, job_id) REFERENCES jobs ON DELETE CASCADE
);
CALL entra_assets_protect('mirrors', false);

-- What the last complete read saw.
CREATE TABLE mirror_objects (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL,
    -- Canonical JSON of the selected properties. Text, not jsonb: Graph may send \u0000.
    data text NOT NULL,
    PRIMARY KEY (organization_id, job_id, object_type, id)
);
CALL entra_assets_protect('mirror_objects', true);

-- The members of a group, many to a row: five million memberships are thousands of rows.
CREATE TABLE mirror_members (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_type text NOT NULL,
    part integer NOT NULL,
    member_ids uuid[] NOT NULL,
    PRIMARY KEY (organization_id, job_id, group_id, member_type, part)
);
CALL entra_assets_protect('mirror_members', true);

-- What was delivered, apart from what was seen: the exact JSON that Assets took.
CREATE TABLE mirror_delivered (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL,
    payload text NOT NULL,
    label text,
    -- Complete reads in a row that did not see it.
    missing_runs integer NOT NULL DEFAULT 0,
    missing_reason text,
    -- delivered as removed (policy mark)
    marked boolean NOT NULL DEFAULT false,
    delivered_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, job_id, object_type, id)
);
CREATE INDEX mirror_delivered_missing ON mirror_delivered (organization_id, job_id, object_type)
    WHERE missing_runs > 0;
CALL entra_assets_protect('mirror_delivered', true);

-- What a run has read so far; becomes the mirror when the read is complete.
CREATE TABLE staged_objects (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (organization_id, run_id, object_type, id)
);
CALL entra_assets_protect('staged_objects', true);

CREATE TABLE staged_members (
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_type text NOT NULL,
    part integer NOT NULL,
    member_ids uuid[] NOT NULL,
    PRIMARY KEY (organization_id, run_id, group_id, member_type, part)
);
CALL entra_assets_protect('staged_members', true);
