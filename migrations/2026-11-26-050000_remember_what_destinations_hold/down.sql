ALTER TABLE runs DROP COLUMN degraded;
ALTER TABLE mirrors DROP COLUMN destination_version;
ALTER TABLE mirrors DROP COLUMN import_source;
ALTER TABLE destinations DROP COLUMN delivered;
ALTER TABLE destinations DROP COLUMN delivered_at;
