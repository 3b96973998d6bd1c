-- What a destination holds does not go with the job that brought it: when something was first sent there, and how many
-- objects of each type the last settled delivery left.
ALTER TABLE destinations ADD COLUMN delivered_at timestamptz;
ALTER TABLE destinations ADD COLUMN delivered jsonb NOT NULL DEFAULT '{}';
-- The import source in Assets that `mirror_delivered` speaks of, and the version of the destination that led there.
ALTER TABLE mirrors ADD COLUMN import_source text;
ALTER TABLE mirrors ADD COLUMN destination_version bigint;
-- Whether something in the run went wrong: not every warning with advice says so.
ALTER TABLE runs ADD COLUMN degraded boolean NOT NULL DEFAULT false;
