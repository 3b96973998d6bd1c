-- Members of groups that are not imported, and by which the filter's scope decides all the same: with them the changes
-- since the last read tell who comes into scope and who leaves it.
CREATE TABLE mirror_scope_members (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_type text NOT NULL,
    part integer NOT NULL,
    member_ids uuid[] NOT NULL,
    PRIMARY KEY (organization_id, job_id, group_id, member_type, part)
);
CALL entra_assets_protect('mirror_scope_members', true);
