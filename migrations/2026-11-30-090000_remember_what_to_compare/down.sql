ALTER TABLE mirrors DROP COLUMN compared_by, DROP COLUMN touched_generation, DROP COLUMN links_generation,
    DROP COLUMN counters;
DROP TABLE mirror_dropped;
DROP TABLE mirror_links;
DROP TABLE mirror_touched;
