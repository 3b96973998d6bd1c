DROP TABLE executions;
DROP TABLE run_cursors;
DROP TABLE run_changes;
DROP TABLE run_events;
DROP TABLE runs;
