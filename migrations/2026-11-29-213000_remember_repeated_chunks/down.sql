ALTER TABLE executions DROP COLUMN repeated;
