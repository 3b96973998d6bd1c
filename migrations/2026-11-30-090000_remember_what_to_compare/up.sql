-- Objects that may differ from what was delivered, since the comparison that `mirrors.compared_by` names. The nil id
-- stands for all objects of the type.
CREATE TABLE mirror_touched (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    -- It came into the mirror since then, so its delivered payload does not say in which groups it is.
    arrived boolean NOT NULL DEFAULT false,
    -- The groups that it came into and left since then.
    came uuid[] NOT NULL DEFAULT '{}',
    went uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (organization_id, job_id, object_type, id)
);
CALL entra_assets_protect('mirror_touched', true);

-- Who refers to a user: by target, because a target that comes or goes changes the objects that refer to it.
CREATE TABLE mirror_links (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    target_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (organization_id, job_id, target_id, object_type, id)
);
CALL entra_assets_protect('mirror_links', true);

-- How many references of an object were left out by its last comparison, where there were any.
CREATE TABLE mirror_dropped (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    number integer NOT NULL,
    PRIMARY KEY (organization_id, job_id, object_type, id)
);
CALL entra_assets_protect('mirror_dropped', true);

ALTER TABLE mirrors
    -- By what `mirror_delivered` was compared last: the settings, and the delivery. NULL: everything has to be compared.
    ADD COLUMN compared_by bytea,
    -- The generations up to which `mirror_touched` and `mirror_links` are complete. A version that does not know them
    -- leaves them behind `generation`.
    ADD COLUMN touched_generation bigint,
    ADD COLUMN links_generation bigint,
    -- What would have to be counted row by row (`db/mirror/counters.rs`).
    ADD COLUMN counters jsonb NOT NULL DEFAULT '{}';
