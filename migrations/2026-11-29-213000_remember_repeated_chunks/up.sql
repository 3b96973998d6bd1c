-- Entries by type that were sent again because the answer to their chunk was lost: Assets may have counted them twice.
ALTER TABLE executions ADD COLUMN repeated jsonb NOT NULL DEFAULT '{}';
