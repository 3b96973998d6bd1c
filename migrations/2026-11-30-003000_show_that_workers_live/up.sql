-- The advisory lock of the process, while other processes can rely on it.
ALTER TABLE workers ADD COLUMN presence bigint;
