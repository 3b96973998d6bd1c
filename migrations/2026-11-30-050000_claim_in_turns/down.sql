DROP INDEX runs_by_start;
DROP INDEX runs_in_turn;
