ALTER TABLE executions DROP COLUMN destination_id;
