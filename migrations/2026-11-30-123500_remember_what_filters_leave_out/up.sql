-- Objects that the conditions of a filter admit, and its scope or limits leave out: one of them comes in when another
-- leaves. With them the changes since the last read tell what is in scope. Under the name of the stubs of a type: objects
-- that are referred to and of which there is no stub.
CREATE TABLE mirror_left_out (
    organization_id uuid NOT NULL,
    job_id uuid NOT NULL,
    object_type text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (organization_id, job_id, object_type, id)
);
CALL entra_assets_protect('mirror_left_out', true);

-- The generation up to which `mirror_left_out` is complete. A version that does not know it leaves it behind
-- `generation`.
ALTER TABLE mirrors ADD COLUMN left_out_generation bigint;
