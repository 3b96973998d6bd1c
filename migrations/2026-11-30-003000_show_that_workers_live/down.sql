ALTER TABLE workers DROP COLUMN presence;
