ALTER TABLE mirrors DROP COLUMN left_out_generation;
DROP TABLE mirror_left_out;
